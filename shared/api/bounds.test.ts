// Every bound of the four kinds, one step beyond. An API server refuses the same manifests: e2e/kubernetes/crds-bounds.test.ts.
import { describe, expect, test } from 'vitest';
import { structuralSchema } from './crd-schema.ts';
import { KINDS } from './kinds.ts';
import { parseSpec } from './parse.ts';
import { BASE_SPECS } from './rule-case.ts';
import { replaced, schemaFaults } from './schema-faults.ts';

describe.each([...KINDS])('the reader of $kind', ({ kind, spec }) => {
  test('[OPS-07] refuses whatever breaks a bound, and says where', () => {
    const missed = schemaFaults(structuralSchema(spec), 'spec').filter(({ path, value }) => {
      const parsed = parseSpec(kind, replaced(BASE_SPECS[kind], path.slice(1), value));
      const place = path.slice(1).join('.');
      // At the place or within it: entries that are at fault themselves are told of before their repetition.
      return parsed.ok || !parsed.issues.some((issue) => issue.path.slice(1).join('.').startsWith(place));
    });
    expect(missed.map(({ keyword, place }) => `${place} (${keyword})`)).toEqual([]);
  });

  test('has more than a handful of bounds', () => {
    expect(schemaFaults(structuralSchema(spec), 'spec').length).toBeGreaterThan(40);
  });
});
