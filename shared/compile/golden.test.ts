// Every case in golden/ compiles to exactly the output beside it. `UPDATE_GOLDEN=1` rewrites the outputs; read the diff.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compile } from './compile.ts';
import { outputYaml, readInput } from './testing.ts';

const root = new URL('./golden/', import.meta.url);
const cases = readdirSync(root).sort();

describe('golden files', () => {
  test.each(cases)('%s', (name) => {
    const input = readInput(readFileSync(new URL(`${name}/input.yaml`, root), 'utf8'));
    const output = outputYaml(compile(input));
    const path = new URL(`${name}/output.yaml`, root);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, output);
    expect(output).toBe(readFileSync(path, 'utf8'));
  });

  test.each(cases)('[SEC-21] [AUTH-08] %s: no secret value is in the output', (name) => {
    const input = readInput(readFileSync(new URL(`${name}/input.yaml`, root), 'utf8'));
    const output = outputYaml(compile(input));
    const values = [...input.secrets.values()].flatMap((secret) =>
      [...secret.values()].map((held) => held.reveal().trim()),
    );
    // Shorter values of the cases are words such as `v` that stand in the output for other reasons.
    for (const value of values.filter(({ length }) => length >= 8)) expect(output).not.toContain(value);
  });
});
