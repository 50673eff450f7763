// Gateways with several upstreams, for tests of routing: each upstream is a mock of its own with a credential of its own.
import { request } from 'node:http';
import type { RawObject } from '#shared/compile/types.ts';
import {
  basicResources,
  CI_KEY,
  startGateway,
  upstream,
  withObjects,
  type Resources,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type Behaviour, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { read, send, type Answer, type Ask } from './http-client.ts';

/** The credential of an upstream of {@link siteResources}. */
export function siteKey(name: string): string {
  return `sk-ant-api03-${name}-0123456789abcdef`;
}

/** An Upstream at a mock; in order of priority unless the spec says otherwise. */
export function site(name: string, url: string, priority: number, spec: Record<string, unknown> = {}): RawObject {
  return upstream(name, url, {
    anthropic: { auth: { type: 'APIKey', apiKey: { name: 'sites', key: name } } },
    priority,
    ...spec,
  });
}

/** Gateway, Policy and VirtualKey of {@link basicResources} with these Upstreams in place of its one. */
export function siteResources(sites: readonly RawObject[], gatewaySpec: Record<string, unknown> = {}): Resources {
  const base = basicResources('http://127.0.0.1:9', gatewaySpec);
  const objects = base.objects.filter(({ kind }) => kind !== 'Upstream');
  const secrets = Object.fromEntries(sites.map(({ metadata }) => [metadata.name, siteKey(metadata.name)]));
  return withObjects({ ...base, objects }, sites, { 'default/sites': secrets });
}

/** Several mocks behind one gateway, tried in the order of their names. */
export interface Sites {
  readonly gateway: TestGateway;
  readonly mocks: readonly MockAnthropic[];
  /** Tells the mocks in turn what to do. */
  script(...behaviours: Behaviour[]): void;
  /** Requests each mock received since the last `script`. */
  received(): number[];
  close(): Promise<void>;
}

/**
 * Starts mocks and a gateway in front of them.
 * @param specs of the Upstreams `a`, `b`, …; their number is the number of mocks
 */
export async function startSites(
  specs: readonly Record<string, unknown>[],
  gatewaySpec: Record<string, unknown> = {},
): Promise<Sites> {
  const mocks = await Promise.all(specs.map(() => startMockAnthropic()));
  const sites = specs.map((spec, i) => site('abcdefgh'[i]!, mocks[i]!.url, i, spec));
  const gateway = await startGateway(siteResources(sites, gatewaySpec));
  let before = mocks.map(() => 0);
  return {
    gateway,
    mocks,
    script: (...behaviours) => {
      for (const [i, mock] of mocks.entries()) mock.behave(() => behaviours[i] ?? { kind: 'text' });
      before = mocks.map((mock) => mock.received());
    },
    received: () => mocks.map((mock, i) => mock.received() - before[i]!),
    close: async () => {
      await gateway.close();
      await Promise.all(mocks.map((mock) => mock.close()));
    },
  };
}

export const MODEL = 'claude-sonnet-5-5';

/** Headers of a plain caller, names and values in turn. */
export function callerHeaders(more: Readonly<Record<string, string>> = {}): string[] {
  const headers = { Authorization: `Bearer ${CI_KEY}`, 'Content-Type': 'application/json', ...more };
  return Object.entries(headers).flat();
}

/** A small Messages call: the whole answer, also one that breaks off. */
export function call(gateway: TestGateway, body: Record<string, unknown> = {}, ask: Ask = {}): Promise<Answer> {
  return send(gateway.url, { path: '/v1/messages', headers: callerHeaders(), body: messageBody(body), ...ask });
}

export function messageBody(over: Record<string, unknown> = {}): Record<string, unknown> {
  return { model: MODEL, max_tokens: 16, messages: [{ role: 'user', content: 'hi' }], ...over };
}

export interface ErrorBody {
  readonly type: string;
  readonly request_id: string;
  readonly error: { readonly type: string; readonly message: string };
}

export function errorOf({ body }: Pick<Answer, 'body'>): ErrorBody {
  return JSON.parse(body.toString()) as ErrorBody;
}

/** A call whose end is in the test's hands. */
export interface Begun {
  readonly answer: Promise<Answer>;
  /** Breaks the client's connection. */
  leave(this: void): void;
}

/** Begins a call; `answer` settles when it is over, and rejects when the client left before the headers. */
export function begin(gateway: TestGateway, body: Record<string, unknown> = {}, path = '/v1/messages'): Begun {
  const { hostname, port } = new URL(gateway.url);
  const text = JSON.stringify(messageBody(body));
  const headers = [
    ...callerHeaders(),
    'Host',
    `${hostname}:${port}`,
    'Content-Length',
    String(Buffer.byteLength(text)),
  ];
  const sent = request({ host: hostname, port, method: 'POST', path, headers, agent: false });
  const answer = new Promise<Answer>((resolve, reject) => {
    sent.once('response', (response) => void read(response).then(resolve, reject)).once('error', reject);
  });
  answer.catch(() => undefined);
  sent.end(text);
  return { answer, leave: () => void sent.destroy() };
}

/** Sum of a metric's samples whose labels hold all of `labels`, read from the metrics endpoint. */
export async function metric(
  gateway: TestGateway,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(gateway.metricsUrl)).text();
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return text
    .split('\n')
    .filter((line) => line.startsWith(`portcullis_${name}{`) || line.startsWith(`portcullis_${name} `))
    .filter((line) => wanted.every((each) => line.includes(each)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** Waits until a metric has a value; fails after two seconds with what it was. */
export async function metricBecomes(gateway: TestGateway, name: string, value: number): Promise<void> {
  const until = performance.now() + 2_000;
  for (;;) {
    const now = await metric(gateway, name);
    if (now === value) return;
    if (performance.now() > until) throw new Error(`${name} is ${now}, not ${value}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** No upstream place is in use and nobody waits for one. */
export async function allPlacesFree(gateway: TestGateway): Promise<void> {
  await metricBecomes(gateway, 'in_flight_upstream', 0);
  await metricBecomes(gateway, 'queued', 0);
}
