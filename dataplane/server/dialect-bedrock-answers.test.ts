// A count in Bedrock's words, and what becomes of an answer that is none.
import { expect, test } from 'vitest';
import { BedrockCountAnswer } from './dialect-bedrock-answers.ts';

test.each([
  ['{"input_tokens":7}', '{"inputTokens":7}'],
  ['{"type":"error"}', '{"type":"error"}'],
])('%s', (answered, given) => {
  const answer = new BedrockCountAnswer();
  for (const byte of Buffer.from(answered)) answer.push(Buffer.of(byte));
  expect(answer.end().toString()).toBe(given);
});

test('an upstream that goes on and on fills no memory', () => {
  const answer = new BedrockCountAnswer();
  const chunk = Buffer.alloc(64 * 1024, ' ');
  for (let i = 0; i < 1000; i += 1) answer.push(chunk);
  expect(answer.end().length).toBeLessThanOrEqual(2 * chunk.length);
});
