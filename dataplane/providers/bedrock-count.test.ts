// Counting tokens on Bedrock: what of a body is counted, and how the answer is read.
import { describe, expect, test } from 'vitest';
import { BedrockCount, bedrockCountBody } from './bedrock-count.ts';

const version = { anthropic_version: 'bedrock-2023-05-31' };
const messages = [{ role: 'user', content: 'hi' }];

function counted(body: object): unknown {
  const outer = JSON.parse(bedrockCountBody(Buffer.from(JSON.stringify(body)))!.toString()) as {
    input: { invokeModel: { body: string } };
  };
  return JSON.parse(Buffer.from(outer.input.invokeModel.body, 'base64').toString());
}

describe('[XLAT-08] the body', () => {
  test.each([
    ['has room for an answer', {}, { max_tokens: 1 }],
    [
      'has room behind the thinking',
      { max_tokens: 10, thinking: budget(2048) },
      { max_tokens: 2049, thinking: budget(2048) },
    ],
    ['has no empty tools, and no choice among them', { tools: [], tool_choice: { type: 'auto' } }, { max_tokens: 1 }],
    ['has tools', { tools: [{ name: 'a' }] }, { max_tokens: 1, tools: [{ name: 'a' }] }],
    [
      'has betas and system',
      { anthropic_beta: ['b'], system: 's' },
      { max_tokens: 1, anthropic_beta: ['b'], system: 's' },
    ],
    [
      'has nothing that does not count',
      { metadata: {}, temperature: 1, context_management: {}, output_config: { effort: 'low' } },
      { max_tokens: 1 },
    ],
  ])('%s', (_name, given, expected) => {
    expect(counted({ ...version, messages, ...given })).toEqual({ ...version, messages, ...expected });
  });

  test('is counted up to 8 MiB, and not at all beyond', () => {
    const of = (bytes: number) => Buffer.from(JSON.stringify({ messages, system: 'x'.repeat(bytes) }));
    expect(bedrockCountBody(of(7 << 20))).toBeDefined();
    expect(bedrockCountBody(of(8 << 20))).toBeUndefined();
  });

  test('must be an object', () => {
    expect(['[]', 'null', '{', '"x"'].map((text) => bedrockCountBody(Buffer.from(text)))).toEqual(
      Array.from({ length: 4 }),
    );
  });
});

function budget(tokens: number): object {
  return { type: 'enabled', budget_tokens: tokens };
}

describe('the answer', () => {
  test('[XLAT-08] has the name of the Messages API, in however many pieces it came', () => {
    const count = new BedrockCount('req-1');
    expect([count.push(Buffer.from('{"inputTo')), count.push(Buffer.from('kens": 42}'))].join('')).toBe('');
    expect(count.end().toString()).toBe('{"input_tokens":42}');
  });

  test.each(['', '{}', '{"inputTokens":"42"}', 'x'.repeat(100_000)])('that says nothing is an error: %.20s', (text) => {
    const count = new BedrockCount('req-1');
    count.push(Buffer.from(text));
    expect(JSON.parse(count.end().toString())).toMatchObject({ type: 'error', request_id: 'req-1' });
  });
});
