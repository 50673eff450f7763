import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { HmacKey } from './hmac.ts';

test('signs as createHmac does, under keys of any length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 1_500 }), (key, text) => {
      const signed = createHmac('sha256', key).update(text).digest();
      const ready = new HmacKey(key);
      expect(ready.sign(text)).toEqual(signed);
      expect(ready.hex(text)).toBe(signed.toString('hex'));
    }),
  );
});
