// Headers of clients whose format is not the Messages API: what they say of their own format is not said to an upstream of another one.
import { describe, expect, test } from 'vitest';
import { CI_KEY } from '../harness/gateway.ts';
import { everyDialect, formatOf } from './dialects.ts';
import { send } from './http-client.ts';
import { startScene } from './scene.ts';

const { mock, gateway } = await startScene(everyDialect);

describe.each(['Bedrock', 'Vertex'] as const)('%s', (dialect) => {
  test('[XLAT-16] [XLAT-18] type and accepted types of its own stay here', async () => {
    const format = formatOf(dialect);
    const headers = {
      Authorization: `Bearer ${CI_KEY}`,
      'Content-Type': 'application/octet-stream',
      Accept: 'application/vnd.amazon.eventstream',
      'X-Amzn-Bedrock-Accept': 'application/json',
      'x-goog-user-project': 'somebody',
      'x-amz-security-token': 'session-token-of-somebody',
      'User-Agent': 'client/1.0',
    };
    const answer = await send(gateway.url, {
      path: format.stream,
      headers: Object.entries(headers).flat(),
      body: format.body(true),
    });
    expect(answer.status).toBe(200);
    const sent = mock.requests.at(-1)!.headers;
    expect(sent['content-type']).toBe('application/json');
    expect(sent.accept ?? 'application/json').toBe('application/json');
    expect(Object.keys(sent).filter((name) => /^x-(?:amz|amzn|goog)/.test(name))).toEqual([]);
    expect(sent['user-agent']).toBe('client/1.0');
  });
});
