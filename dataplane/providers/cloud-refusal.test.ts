// What a cloud's refusal becomes: the sentences clients recover by, statuses that say what is meant, and nothing else of its words.
import { describe, expect, test } from 'vitest';
import { bedrock } from './bedrock.ts';
import { bedrockMantle } from './bedrock-mantle.ts';
import { foundry } from './foundry.ts';
import { vertex } from './vertex.ts';

const aws = (message: string, type?: string): string => JSON.stringify({ message, __type: type });
const google = (status: string, message: string): string => JSON.stringify({ error: { code: 400, message, status } });
const azure = (code: string, message: string): string => JSON.stringify({ error: { code, message } });

describe('the size of a prompt', () => {
  test.each([
    ['Bedrock', bedrock, aws('Input is too long for requested model.'), 'capability_rejected: prompt_too_long'],
    ['Bedrock', bedrock, aws('Input is too long.'), 'Input is too long.'],
    ['Mantle', bedrockMantle, aws('Input is too long.'), 'Input is too long.'],
    [
      'Bedrock',
      bedrock,
      aws('The model returned: prompt is too long: 210000 tokens > 200000 maximum, sorry'),
      'prompt is too long: 210000 tokens > 200000 maximum',
    ],
    [
      'Vertex',
      vertex,
      google('INVALID_ARGUMENT', 'Request payload size exceeds the limit: 31457280 bytes.'),
      'Input is too long.',
    ],
    ['Vertex', vertex, `[${google('INVALID_ARGUMENT', 'The prompt is too long.')}]`, 'Input is too long.'],
    [
      'Foundry',
      foundry,
      azure('context_length_exceeded', 'Prompt exceeds maximum context length.'),
      'Input is too long.',
    ],
  ])('[XLAT-15] [ERR-18] of %s is said so that the client shortens it', (_name, provider, body, message) => {
    expect(provider.refusal?.(400, body)).toEqual({ message });
  });
});

test.each([
  'messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`',
  'messages.3.content.0: Invalid `signature` in `thinking` block',
  'messages.2: `tool_use_id` without a matching block',
  'safeguards: Extra inputs are not permitted',
])('[ERR-18] a model’s complaint that the client mends is kept: %s', (message) => {
  expect(bedrock.refusal?.(400, aws(message))).toEqual({ message });
});

describe('throttling under another status', () => {
  test.each([
    ['a quota of Bedrock', bedrock, 400, aws('Your account exceeded its quota for tokens per day')],
    ['an exception named in the body', bedrock, 400, aws('wait', 'com.amazon#throttled Requests')],
    ['Google as of old', vertex, 403, google('RESOURCE_EXHAUSTED', 'Quota exceeded for requests')],
  ])('%s is a 429', (_name, provider, status, body) => {
    expect(provider.refusal?.(status, body)).toEqual({ status: 429 });
  });
});

test.each([
  'tools.0.name: `my quota` does not match the pattern',
  'Malformed input request: #/tools/0/name: string [rate limit] does not match pattern, please reformat your input',
])('a caller’s own words are no quota: %s', (message) => {
  for (const status of [400, 403]) expect(bedrock.refusal?.(status, aws(message))).toBeUndefined();
});

test.each([
  ['Bedrock', bedrock, aws('The provided model identifier is invalid.')],
  ['Foundry', foundry, azure('DeploymentNotFound', 'The API deployment claude for this resource does not exist.')],
])('a model that %s does not know is a 404', (_name, provider, body) => {
  expect(provider.refusal?.(400, body)).toEqual({ status: 404 });
});

test('a model that failed or took too long is the provider’s fault', () => {
  expect([408, 424, 429].map((status) => bedrock.statuses?.get(status))).toEqual([504, 502, undefined]);
});

test.each([
  ['somebody’s account', aws('User: arn:aws:iam::111122223333:user/x is not authorized to use thinking')],
  ['a sentence about the account’s signature', aws('The request signature we calculated does not match')],
  ['HTML', '<html>thinking: too long</html>'],
  ['an empty body', ''],
  ['null', 'null'],
  ['a message of another type', '{"message":{"thinking":1}}'],
  ['a page of text', aws(`thinking: ${'x'.repeat(1000)}`)],
])('[XLAT-14] %s is not repeated', (_name, body) => {
  for (const provider of [bedrock, vertex, foundry]) expect(provider.refusal?.(400, body)).toBeUndefined();
});

test('a refusal of any length is read in no time: whoever runs an upstream could otherwise hold up everybody', () => {
  const units = [
    'deployment ',
    'model identifier ',
    'exceeds the maximum',
    'quota ',
    'a.',
    '_',
    'prompt is too long: 1',
  ];
  for (const unit of units) {
    const message = unit.repeat(Math.floor(250_000 / unit.length));
    const before = performance.now();
    for (const family of [bedrock, foundry, vertex])
      family.refusal?.(400, JSON.stringify({ message, error: { message } }));
    expect(performance.now() - before).toBeLessThan(500);
  }
});
