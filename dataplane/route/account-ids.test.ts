import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withoutAccountIds } from './account-ids.ts';

describe('withoutAccountIds', () => {
  test.each([
    'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123',
    'arn:aws-us-gov:iam::123456789012:role/gateway',
    'arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5',
    '123456789012',
    'AKIAIOSFODNN7EXAMPLE',
    'ASIAIOSFODNN7EXAMPLE',
    'gateway@corp-417.iam.gserviceaccount.com',
    '1234-compute@developer.gserviceaccount.com',
    'projects/corp-llm-prod-417',
    'ya29.a0AfB_byC-1234567890',
    'AIzaSyA-1234567890abcdefghijklmnop',
    '7c1f3a52-9d0e-4b61-8a77-0f2e5d9c4b13',
    '7C1F3A52-9D0E-4B61-8A77-0F2E5D9C4B13',
    'sk-ant-api03-abc_DEF-123',
    'project_number:417417417',
    'acme-claude.services.ai.azure.com',
    'acme.openai.azure.us',
    'wrkspc_01AbCdEf',
  ])('[XLAT-14] takes out %s, wherever it stands', (id) => {
    for (const [before, after] of [
      ['', ''],
      ['model ', ' is gone'],
      ['(', ')'],
      ['"', '"'],
      ['\\"', '\\"'],
      ['x: ', ', y'],
    ] as const) {
      expect(withoutAccountIds(`${before}${id}${after}`)).toBe(`${before}[redacted]${after}`);
    }
  });

  test.each([
    'prompt is too long: 210104 tokens > 200000 maximum',
    'input length and `max_tokens` exceed context limit: 199000 + 32000 > 200000',
    'messages.3.content.0: Invalid `signature` in `thinking` block',
    'model: claude-sonnet-4-5-20250929, us.anthropic.claude-haiku-4-5-20251001-v1:0, claude-opus-4-5@20251101',
    'tool_use ids were found without tool_result blocks: toolu_01A09q90qw90lq917835lq9',
    'request req_011CSHoEeqs5C35K2UUqR7Fy',
    'retry at 1795000000, 1795000000000 ms',
    'see https://docs.claude.com/en/api/errors',
    'projects are not available',
    'the project: is not here',
    'see services.ai.azure.com',
  ])('[ERR-18] leaves alone: %s', (text) => {
    expect(withoutAccountIds(text)).toBe(text);
  });

  test('takes no time to speak of on the largest bodies, whatever they hold', () => {
    const piece = fc.constantFrom(
      'arn:aws',
      ':',
      '-',
      '1',
      'a@',
      '.',
      'projects/',
      'sk-ant-',
      'AIza',
      '7c1f3a52-9d0e-',
      '.services.ai.azure.c',
      'project:',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        const text = pieces.join('').repeat(Math.ceil(262_144 / pieces.join('').length));
        const started = performance.now();
        withoutAccountIds(text);
        expect(performance.now() - started).toBeLessThan(1_000);
      }),
      { numRuns: 30 },
    );
  });
});
