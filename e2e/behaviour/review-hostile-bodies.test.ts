// Bodies made to hurt: what one client writes must end in an answer to that client, with the process and every place as before.
import { afterEach, expect, test, vi } from 'vitest';
import { bedrock as bedrockFamily } from '#dataplane/providers/bedrock.ts';
import { basicResources, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import {
  mockCloudCredentials,
  mockCloudSecrets,
  startMockCloud,
  type MockCloud,
} from '../harness/providers/mock-clouds.ts';
import { send } from './http-client.ts';
import { allPlacesFree, call, callerHeaders, metric, MODEL } from './routing.ts';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});

/** An upstream that fails, and Bedrock behind it. */
async function bedrockSecond(): Promise<{ first: MockCloud; bedrock: MockCloud; gateway: TestGateway }> {
  const first = await startMockCloud('Anthropic');
  const bedrock = await startMockCloud('Bedrock');
  open.push(first, bedrock);
  const base = basicResources('http://127.0.0.1:9', { routing: { failoverOn: ['5xx', 'timeout'] } });
  const objects = base.objects.filter(({ kind }) => kind !== 'Upstream');
  const upstreams = [first.upstream({ priority: 0, timeouts: { firstByte: '1s' } }), bedrock.upstream({ priority: 1 })];
  const gateway = await startGateway(withObjects({ ...base, objects }, upstreams, mockCloudSecrets()), {
    openCredentials: mockCloudCredentials(),
  });
  open.push(gateway);
  return { first, bedrock, gateway };
}

const HEADERS = callerHeaders({ 'anthropic-version': '2023-06-01' });
const DEPTH = 200_000;
const DEEP = `{"model":"claude-sonnet-4-5","messages":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}`;

test.each(['status', 'hang'] as const)(
  'a count nested too deep to be written anew ends in an answer, on the second attempt too (%s)',
  async (kind) => {
    const { first, gateway } = await bedrockSecond();
    first.behave(() => (kind === 'hang' ? { kind } : { kind, status: 500 }));
    const answer = await send(gateway.url, { path: '/v1/messages/count_tokens', headers: HEADERS, body: DEEP });
    expect([answer.status, answer.complete]).toEqual([expect.any(Number), true]);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(gateway.written.join()).not.toContain('call stack');
    await allPlacesFree(gateway);
    first.behave(() => ({ kind: 'text' }));
    expect((await call(gateway, { model: MODEL }, { headers: HEADERS })).status).toBe(200);
  },
);

test('a defect in what a family does with a body costs the call that upstream, and no other call anything', async () => {
  const { first, gateway } = await bedrockSecond();
  first.behave(() => ({ kind: 'hang' }));
  const defect = vi.spyOn(bedrockFamily, 'path').mockImplementation(() => {
    throw new TypeError('planted');
  });
  const answer = await call(gateway, {}, { headers: HEADERS });
  defect.mockRestore();
  expect([answer.status, answer.complete]).toEqual([502, true]);
  expect(await metric(gateway, 'upstream_attempts_total', { result: 'defect' })).toBe(1);
  await allPlacesFree(gateway);
});
