import { describe, expect, test } from 'vitest';
import { MAX_REPORT_BYTES, readUpstreamReport, writeUpstreamReport, type UpstreamWord } from './upstream-report.ts';

const refused: UpstreamWord = {
  at: '2026-11-21T12:00:00.000Z',
  credentials: { status: 'False', reason: 'BadCredential', message: 'The key is refused.' },
};
const read = (words: object) => readUpstreamReport(JSON.stringify(words));

test('what is written is what is read', () => {
  const words: Record<string, UpstreamWord> = { 'ai/a': refused, 'ai/b': { unknown: 'provider Quantum' }, 'ai/c': {} };
  expect(readUpstreamReport(writeUpstreamReport(Object.entries(words)))).toEqual(words);
  expect(writeUpstreamReport([])).toBeUndefined();
});

test('what does not fit is left out, the last first', () => {
  const word = { missing: Array.from({ length: 20 }, (_, i) => `model-${i}`.padEnd(200, 'x')) };
  const text = writeUpstreamReport(Array.from({ length: 9 }, (_, i) => [`ai/${i}`, word] as const));
  expect(Buffer.byteLength(text!)).toBeLessThanOrEqual(MAX_REPORT_BYTES);
  expect(Object.keys(readUpstreamReport(text))).toEqual(['ai/0', 'ai/1', 'ai/2', 'ai/3']);
});

describe('[OPS-12] a pod of a later release', () => {
  test('that says more is understood in what is known', () => {
    const facet = { ...refused.credentials, since: 1 };
    expect(read({ 'ai/a': { ...refused, credentials: facet, mood: 'good' } })).toEqual({ 'ai/a': refused });
  });

  test('that says one thing in a way of its own is understood in the others', () => {
    const odd = { credentials: { status: 'Perhaps', reason: 'X', message: '' } };
    expect(read({ 'ai/a': refused, 'ai/b': odd, 'ai/c': 7 })).toEqual({ 'ai/a': refused });
  });
});

test.each([
  ['no text', undefined],
  ['no JSON', '{'],
  ['no object', '[1]'],
  ['far too much', `{"ai/a":{}${' '.repeat(2 * MAX_REPORT_BYTES)}}`],
])('%s says nothing', (_, text) => {
  expect(readUpstreamReport(text)).toEqual({});
});
