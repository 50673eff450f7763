// Probes of every provider family against mocks that check what they are sent: what a good and a bad credential look like from there, and
// what the gateway says when it cannot get one at all.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CredentialSources } from '#dataplane/credentials/sources.ts';
import { FakeClock } from '#dataplane/credentials/testing.ts';
import type { OpenCredentials } from '#dataplane/providers/target.ts';
import { PROVIDER_FAMILIES, type ProviderFamily } from '#shared/catalog/families.ts';
import { readUpstreamReport } from '#shared/upstream-report.ts';
import { basicResources, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import { AWS, GOOGLE, LEAKS } from '../harness/providers/accounts.ts';
import {
  mockCloudCredentials,
  mockCloudSecrets,
  startMockCloud,
  type MockCloud,
} from '../harness/providers/mock-clouds.ts';
import { call, callerHeaders, metric, MODEL } from './routing.ts';

let cloud: MockCloud;
let gateway: TestGateway;

afterEach(async () => {
  await gateway.close();
  await cloud.close();
});

interface Start {
  readonly wrong?: boolean;
  readonly spec?: Record<string, unknown>;
  readonly openCredentials?: OpenCredentials;
  readonly probing?: boolean;
}

async function start(family: ProviderFamily, { wrong = false, spec = {}, openCredentials, probing = true }: Start) {
  cloud = await startMockCloud(family);
  const base = basicResources('http://127.0.0.1:9');
  const objects = base.objects.filter(({ kind }) => kind !== 'Upstream');
  const [[name, values]] = Object.entries(mockCloudSecrets()) as [[string, Record<string, string>]];
  const changed = Object.entries(values).map(([key, value]) => [key, key === 'aws-id' ? value : `${value}wrong`]);
  const secrets = { [name]: wrong ? (Object.fromEntries(changed) as Record<string, string>) : values };
  const resources = withObjects({ ...base, objects }, [cloud.upstream(spec)], secrets);
  gateway = await startGateway(resources, { probing, openCredentials: openCredentials ?? mockCloudCredentials() });
}

const key = (family: string): string => `default/${family.toLowerCase()}`;
const stateOf = (family: ProviderFamily) => gateway.plane.probes.states().get(key(family))?.state;
const until = (holds: () => void): Promise<void> => vi.waitFor(holds, { timeout: 10_000, interval: 20 });

const LISTS: ReadonlySet<ProviderFamily> = new Set(['Anthropic', 'AnthropicCompatible', 'ClaudePlatformAWS']);

describe.each(PROVIDER_FAMILIES)('%s', (family) => {
  test('[PROV-18] a probe is a request that the provider takes, and costs no more than a token', async () => {
    await start(family, {});
    await until(() => expect(stateOf(family)?.credentials).toMatchObject({ status: 'True' }));
    expect(cloud.refused).toEqual([]);
    const asked = cloud.requests.map((request) => request.json()?.['max_tokens'] ?? request.method);
    expect(asked).toEqual([LISTS.has(family) ? 'GET' : 1]);
  });
});

// The service-account key of Vertex is checked before anything is sent.
test.each(PROVIDER_FAMILIES.filter((family) => family !== 'Vertex'))(
  '[PROV-18] [PROV-19] %s with a wrong credential is told as that, without a word of the provider',
  async (family) => {
    await start(family, { wrong: true });
    await until(() => expect(stateOf(family)?.credentials).toMatchObject({ status: 'False', reason: 'BadCredential' }));
    expect(stateOf(family)?.reachable.status).toBe('True');
    const said = `${gateway.plane.probes.report()} ${gateway.written.join('')}`;
    for (const secret of LEAKS) expect(said).not.toContain(secret);
  },
);

describe('[PROV-26] a pod without its cloud identity says so before there is traffic', () => {
  const nowhere: OpenCredentials = (specs) => {
    const refuse = async (): Promise<never> => {
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    };
    const readFile = async (): Promise<never> => {
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    };
    const ports = { fetch: refuse, fetchLocal: refuse, readFile, clock: new FakeClock(), random: () => 0.5 };
    return new CredentialSources(ports).configure(specs);
  };
  const tokenFile = '/var/run/secrets/tokens/token';
  const bedrock = {
    bedrock: {
      region: AWS.region,
      auth: { type: 'WebIdentity', webIdentity: { roleArn: `arn:aws:iam::${AWS.account}:role/gateway`, tokenFile } },
    },
  };
  const vertex = {
    vertex: {
      project: GOOGLE.project,
      location: 'global',
      auth: { type: 'WorkloadIdentity', workloadIdentity: { audience: '//iam.googleapis.com/x', tokenFile } },
    },
  };

  test.each<[ProviderFamily, Record<string, unknown>, boolean]>([
    ['Bedrock', bedrock, true],
    ['Bedrock', bedrock, false],
    ['Vertex', vertex, true],
  ])('%s %#', async (family, spec, probing) => {
    await start(family, { spec, probing, openCredentials: nowhere });
    await until(() => expect(stateOf(family)?.credentials.reason).toBe('CredentialUnavailable'));
    expect(readUpstreamReport(gateway.plane.probes.report())[key(family)]?.credentials).toMatchObject({
      status: 'False',
      message: expect.stringContaining('There is no credential to use') as string,
    });
    expect(cloud.received()).toBe(0);
  });
});

test('[ROUTE-31] limits that answers name are told by model, and reach no client', async () => {
  await start('Anthropic', { probing: false });
  const message = { type: 'message', role: 'assistant', content: [], usage: { input_tokens: 1, output_tokens: 1 } };
  cloud.behave(() => ({
    kind: 'raw',
    status: 200,
    headers: { 'content-type': 'application/json', 'anthropic-ratelimit-requests-limit': '4000' },
    chunks: [JSON.stringify(message)],
  }));
  const answer = await call(gateway, {}, { headers: callerHeaders({ 'anthropic-version': '2023-06-01' }) });
  expect(answer.status).toBe(200);
  expect(Object.keys(answer.headers).filter((name) => name.includes('ratelimit'))).toEqual([]);
  const labels = { upstream: key('Anthropic'), model: MODEL, unit: 'requests' };
  expect(await metric(gateway, 'upstream_quota', labels)).toBe(4000);
  expect(readUpstreamReport(gateway.plane.probes.report())[key('Anthropic')]?.quotas).toEqual({
    [MODEL]: { requests: 4000 },
  });
});
