// A gateway in front of one mock cloud, and what its family is expected to do differently from the Anthropic API.
import { afterAll, beforeAll } from 'vitest';
import type { OpenCredentials } from '#dataplane/providers/target.ts';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { basicResources, startGateway, withObjects, type Resources, type TestGateway } from '../harness/gateway.ts';
import {
  mockCloudCredentials,
  mockCloudSecrets,
  startMockCloud,
  type MockCloud,
} from '../harness/providers/mock-clouds.ts';
import { begin, type Answer, type Ask } from './http-client.ts';
import { call, callerHeaders, messageBody } from './routing.ts';
import { events } from './sse.ts';

export interface CloudScene {
  readonly cloud: MockCloud;
  readonly gateway: TestGateway;
}

export interface CloudSceneOptions {
  /** Of the Upstream, laid over the usual spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly gatewaySpec?: Readonly<Record<string, unknown>>;
  /** In place of the right secrets. */
  readonly secrets?: Resources['secrets'];
  readonly openCredentials?: OpenCredentials;
}

/** Upstreams that never rest: every test here makes them fail. */
const UNBREAKABLE = { breaker: { consecutiveFailures: 1000 } };

export async function openCloud(family: ProviderFamily, options: CloudSceneOptions = {}): Promise<CloudScene> {
  const cloud = await startMockCloud(family);
  const base = basicResources('http://127.0.0.1:9', { ...options.gatewaySpec });
  const objects = base.objects.filter(({ kind }) => kind !== 'Upstream');
  const upstream = cloud.upstream({ ...UNBREAKABLE, ...options.spec });
  const resources = withObjects({ ...base, objects }, [upstream], options.secrets ?? mockCloudSecrets());
  const gateway = await startGateway(resources, {
    openCredentials: options.openCredentials ?? mockCloudCredentials(),
  });
  return { cloud, gateway };
}

export async function closeCloud({ cloud, gateway }: CloudScene): Promise<void> {
  await gateway.close();
  await cloud.close();
}

/** The same scene for the tests of a `describe`. */
export function sharedCloud(family: ProviderFamily, options?: CloudSceneOptions): () => CloudScene {
  let scene: CloudScene;
  beforeAll(async () => {
    scene = await openCloud(family, options);
  });
  afterAll(() => closeCloud(scene));
  return () => scene;
}

/** A Messages call with the header every SDK sends. */
export function ask(
  { gateway }: CloudScene,
  body: Record<string, unknown> = {},
  headers: Readonly<Record<string, string>> = {},
  more: Ask = {},
): Promise<Answer> {
  const names = callerHeaders({ 'anthropic-version': '2023-06-01', ...headers });
  return call(gateway, body, { headers: names, ...more });
}

/** Begins a call. @returns breaks the client's connection */
export function leave({ gateway }: CloudScene, body: Record<string, unknown>): () => void {
  const headers = callerHeaders({ 'anthropic-version': '2023-06-01' });
  const sent = begin(gateway.url, { path: '/v1/messages', headers, body: messageBody(body) });
  return () => void sent.destroy();
}

export const COUNT: Ask = { path: '/v1/messages/count_tokens' };

/** The last request the cloud got: body and betas in one shape, wherever the family has them. */
export function received({ cloud }: CloudScene) {
  const request = cloud.requests.at(-1)!;
  const body = request.json() ?? {};
  const header = request.headers['anthropic-beta'];
  const betas = body['anthropic_beta'] ?? (typeof header === 'string' ? header.split(',') : []);
  return { request, body, betas: betas as readonly string[] };
}

/** Events of a streamed answer but pings, without what differs from answer to answer. */
export function story(answer: Buffer | string): unknown[] {
  return events(answer.toString())
    .filter(({ name }) => name !== 'ping')
    .map(({ name, data }) => [name, JSON.parse(data.replace(/msg_\w+/, 'msg'))]);
}
