// Patterns of manifests against the models that exist.
import { expect, test } from 'vitest';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { patternReader } from './model-names.ts';

const catalog = builtinCatalog.models;

test('a pattern is known when it fits any spelling of a model that exists here', () => {
  const read = patternReader(catalog, new Set(['claude-opus-5-5', 'my-own-model']));
  expect(read('EU.anthropic.*')).toEqual({ text: 'eu.anthropic.*', known: true });
  expect(read('My-*')).toEqual({ text: 'my-*', known: true });
  expect(read('claude-haiku-*').known).toBe(false);
  expect(read('claude-haiku-5-5')).toEqual({ text: 'claude-haiku-5-5', known: false });
});
