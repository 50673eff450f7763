// Anthropic to Anthropic: what a client sends is what the upstream gets, byte for byte, and the other way round.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basicResources, CI_KEY, startGateway, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';

let mock: MockAnthropic;
let gateway: TestGateway;

beforeAll(async () => {
  mock = await startMockAnthropic();
  gateway = await startGateway(basicResources(mock.url));
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

describe('request body', () => {
  test('[XLAT-01] odd spacing, number forms and escapes arrive untouched', async () => {
    const body =
      '{ "model" : "claude-haiku-5-5",\n\t"max_tokens":1.0, "x_future":"\\u0041\\/", "messages":[ {"role":"user","content":"h\\u00ef"} ] }';
    const response = await fetch(`${gateway.url}/v1/messages?beta=true`, {
      method: 'POST',
      headers: { authorization: `Bearer ${CI_KEY}`, 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(200);
    const last = mock.requests.at(-1)!;
    expect(last.body.toString()).toBe(body);
    expect(last.url).toBe('/v1/messages?beta=true');
  });
});
