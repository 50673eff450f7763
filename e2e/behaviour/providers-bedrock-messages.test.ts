// The Messages API of Bedrock's runtime: the surface of Mantle with the names, credentials and rights of InvokeModel, in front of a mock
// that takes nothing else.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { basicResources, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { AWS } from '../harness/providers/accounts.ts';
import { runtimeMessagesSurface } from '../harness/providers/messages-surfaces.ts';
import { mockCloudSecrets } from '../harness/providers/mock-clouds.ts';
import { object } from '../harness/resources.ts';
import { call, callerHeaders } from './routing.ts';
import { events } from './sse.ts';

const ref = (key: string) => ({ name: 'mock-clouds', key });
const KEYS = { type: 'AccessKey', accessKey: { accessKeyId: ref('aws-id'), secretAccessKey: ref('aws-secret') } };

let cloud: MockAnthropic;
let gateway: TestGateway;

beforeAll(async () => {
  cloud = await startMockAnthropic({ surface: runtimeMessagesSurface });
  const base = basicResources('http://127.0.0.1:9', { routing: { hintHeader: 'x-org-route', stickyBy: 'None' } });
  const runtime = (name: string, bedrock: object) =>
    object('Upstream', name, {
      provider: 'Bedrock',
      baseUrl: cloud.url,
      bedrock: { region: AWS.region, api: 'Messages', auth: KEYS, ...bedrock },
    });
  const objects = base.objects.filter(({ kind }) => kind !== 'Upstream');
  const upstreams = [runtime('geo', {}), runtime('world', { inference: 'Global' })];
  gateway = await startGateway(withObjects({ ...base, objects }, upstreams, mockCloudSecrets()));
});

afterAll(async () => {
  await gateway.close();
  await cloud.close();
});

const ask = (route: string, body: object = {}, headers: Readonly<Record<string, string>> = {}) =>
  call(
    gateway,
    { model: 'claude-sonnet-4-6', ...body },
    { headers: callerHeaders({ 'x-org-route': route, 'anthropic-version': '2023-06-01', ...headers }) },
  );
const last = () => cloud.requests.at(-1)!;

test.each([
  ['geo', 'us.anthropic.claude-sonnet-4-6'],
  ['world', 'global.anthropic.claude-sonnet-4-6'],
])('[XLAT-11] [PROV-02] a message by the profile of %s, signed for Bedrock', async (route, model) => {
  const answer = await ask(route);
  expect(answer.status).toBe(200);
  expect(last().url).toBe('/anthropic/v1/messages');
  expect(last().json()).toMatchObject({ model });
  expect(last().headers.authorization).toContain(`/${AWS.region}/bedrock/aws4_request`);
});

test('[XLAT-11] a stream comes as the Messages API has it', async () => {
  const answer = await ask('geo', { stream: true });
  expect(answer.status).toBe(200);
  expect(events(answer.body.toString()).at(-1)!.name).toBe('message_stop');
});

test('[XLAT-11] a beta that Bedrock does not know stays here', async () => {
  const answer = await ask('geo', {}, { 'anthropic-beta': 'unheard-of-2027-01-01' });
  expect(answer.status).toBe(200);
  expect(last().headers['anthropic-beta']).toBeUndefined();
});

test('[SPEND-16] the profile of a geography costs its surcharge, the global one does not', async () => {
  const costOf = async (route: string): Promise<number> => {
    const answer = await ask(route);
    const record = await gateway.record(({ request_id: id }) => id === answer.headers['x-request-id']);
    return Number(record['cost_usd']);
  };
  const [near, anywhere] = [await costOf('geo'), await costOf('world')];
  expect(near / anywhere).toBeCloseTo(1.1, 5);
});
