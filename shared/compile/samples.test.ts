// The samples are more than well-formed: whatever compiling can find of an object itself is in order.
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compile } from './compile.ts';
import { readInput } from './testing.ts';

const root = new URL('../../', import.meta.url);

test.each(globSync('crds/samples/*.yaml', { cwd: root.pathname }))('%s', (file) => {
  const { statuses } = compile(readInput(readFileSync(new URL(file, root), 'utf8')));
  // Keys need a clock and values that only a cluster or an environment has.
  const refused = statuses.flatMap(({ kind, name, conditions }) =>
    conditions
      .filter(({ type, status }) => kind !== 'VirtualKey' && type === 'Accepted' && status !== 'True')
      .map(({ message }) => `${kind} ${name}: ${message}`),
  );
  expect(refused).toEqual([]);
});
