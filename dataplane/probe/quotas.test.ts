import { describe, expect, test } from 'vitest';
import {
  readUpstreamReport,
  writeUpstreamReport,
  MAX_REPORT_BYTES,
  type UpstreamWord,
} from '#shared/upstream-report.ts';
import { Quotas } from './quotas.ts';

const limits = (requests: string, tokens = '400000') => ({
  'anthropic-ratelimit-requests-limit': requests,
  'anthropic-ratelimit-requests-remaining': '12',
  'anthropic-ratelimit-input-tokens-limit': tokens,
});

describe('[ROUTE-31] limits that answers name', () => {
  test('are kept by model and looked at every five minutes', () => {
    const quotas = new Quotas();
    expect(quotas.observe('m', limits('50'), 0)).toBe(true);
    expect(quotas.observe('n', limits('70'), 0)).toBe(true);
    expect(quotas.observe('m', limits('99'), 299_999)).toBe(false);
    expect(quotas.known()).toEqual({
      m: { requests: 50, inputTokens: 400_000 },
      n: { requests: 70, inputTokens: 400_000 },
    });
    expect(quotas.observe('m', limits('99'), 300_000)).toBe(true);
    expect(quotas.known()['m']).toEqual({ requests: 99, inputTokens: 400_000 });
    expect(quotas.observe('m', limits('99'), 600_000)).toBe(false);
  });

  test('are none where an answer names none, or nonsense', () => {
    const quotas = new Quotas();
    expect(quotas.observe('m', {}, 0)).toBe(false);
    expect(quotas.observe('n', { 'anthropic-ratelimit-requests-limit': '-1e9' }, 0)).toBe(false);
    expect(quotas.known()).toEqual({});
  });
});

describe('the report in a Lease', () => {
  const word = (over: Partial<UpstreamWord> = {}): UpstreamWord => ({ at: '2026-11-21T12:00:00.000Z', ...over });
  const bad = { status: 'False', reason: 'BadCredential', message: 'x'.repeat(300) } as const;

  test('is read as it was written', () => {
    const words = {
      'ai/a': word({ credentials: bad, missing: ['m'] }),
      'ai/b': word({ quotas: { m: { requests: 1 } } }),
    };
    expect(readUpstreamReport(writeUpstreamReport(Object.entries(words)))).toEqual(words);
  });

  test('stays small whatever there is to say, and what comes first is in it', () => {
    const many = Array.from({ length: 500 }, (_, i) => [`ai/u${i}`, word({ credentials: bad })] as const);
    const text = writeUpstreamReport(many)!;
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_REPORT_BYTES);
    expect(Object.keys(readUpstreamReport(text))[0]).toBe('ai/u0');
  });

  test.each([undefined, '', '[]', '{"a":1}', '{"a":{"credentials":{"status":"Perhaps"}}}', 'x'.repeat(100_000)])(
    'of another kind says nothing: %s',
    (text) => {
      expect(readUpstreamReport(text)).toEqual({});
    },
  );
});
