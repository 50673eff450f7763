import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compile } from './compile.ts';
import { gateway, inputOf, keysOf, object } from './testing.ts';

const digits = (length: number) => fc.array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length });

/** Hashes of which many have their beginning in common. */
const hash = fc
  .tuple(fc.constantFrom('00000000', '7fffffff', '80000000', 'ffffffff'), digits(56))
  .map(([start, rest]) => start + rest.map((digit) => digit.toString(16)).join(''));

test('keys are published in the order of their hashes, however much of them is the same', () => {
  fc.assert(
    fc.property(fc.uniqueArray(hash, { maxLength: 40 }), (hashes) => {
      const keys = hashes.map((_, at) =>
        object('VirtualKey', `p/k${at}`, {
          gatewayRef: { name: 'gw' },
          owner: { type: 'User', name: 'alice' },
          credential: { type: 'Generated', generated: { secretName: `s${at}` } },
        }),
      );
      const credentials = new Map(hashes.map((each, at) => [`p/k${at}`, { hash: each, prefix: 'sk-pc-abcd' }]));
      const output = compile({ ...inputOf([gateway(), ...keys]), credentials });
      expect(keysOf(output, 'p/gw').map((entry) => entry.hash)).toEqual([...hashes].sort());
    }),
    { numRuns: 200 },
  );
});
