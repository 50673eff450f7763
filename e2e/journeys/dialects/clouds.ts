// Every provider family behind one gateway that serves every dialect, each family reached by a key of its own: what is between a client and
// a family is then what the key says, and nothing in the client changes.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dialect } from '#shared/bundle/bundle.ts';
import { PROVIDER_FAMILIES, type ProviderFamily } from '#shared/catalog/families.ts';
import {
  eventually,
  importedKey,
  NAMESPACE,
  object,
  policy,
  startGateway,
  type Resources,
  type TestGateway,
} from '../../harness/gateway.ts';
import type { Behave, Behaviour, RecordedRequest } from '../../harness/mock-anthropic.ts';
import {
  mockCloudCredentials,
  mockCloudSecrets,
  startMockClouds,
  type MockCloud,
  type MockClouds,
} from '../../harness/providers/mock-clouds.ts';
import { startTap, type Exchange, type Tap } from '../../harness/tap.ts';

export const TEXT = 'Hello, Grüße, 你好 👋';
export const THINKING = { thinking: 'First I look at the weather.', signature: 'c2lnbmVkIGJ5IHRoZSBtb2RlbA==' };
export const COUNTED = 4321;
/** Words by which clients know that the conversation is too long; each family has its own. */
export const TOO_LONG = /prompt is too long|Input is too long|prompt_too_long/;
export const RATE_LIMITED = /slow down|rate limit/;

const ALL_DIALECTS: readonly Dialect[] = ['Anthropic', 'Bedrock', 'Vertex', 'Foundry', 'ClaudePlatformAWS'];

export type RecordedCall = Readonly<Record<string, unknown>>;

export interface Clouds {
  readonly gateway: TestGateway;
  readonly mocks: Readonly<Record<ProviderFamily, MockCloud>>;
  /** Of every family, until told otherwise. Default: {@link namedBehaviours}. */
  behave(fn: Behave): void;
  /** The platform team moves the holder of {@link MOVED_KEY} to a family. */
  move(family: ProviderFamily): void;
  close(): Promise<void>;
}

/** Name of the Upstream of a family, as audit records have it. */
export function upstreamOf(family: ProviderFamily): string {
  return `${NAMESPACE}/${family.toLowerCase()}`;
}

/** A key whose calls go where {@link Clouds.move} says. */
export const MOVED_KEY = 'sk-pc-moved-0123456789abcdefghijklmnopqrstuvwxyzABCD';

/** The key whose calls one family serves. */
export function keyOf(family: ProviderFamily): string {
  return `sk-pc-${family.toLowerCase()}-0123456789abcdefghijklmnopqrstuvwxyzABCD`;
}

/** @param gatewaySpec laid over the usual one */
export async function startClouds(gatewaySpec: Readonly<Record<string, unknown>> = {}): Promise<Clouds> {
  const clouds = await startMockClouds();
  const gateway = await startGateway(resourcesOf(clouds, gatewaySpec), { openCredentials: mockCloudCredentials() });
  const mocks = clouds.byFamily;
  const behave = (fn: Behave): void => {
    for (const mock of Object.values(mocks)) mock.behave(fn);
  };
  for (const family of PROVIDER_FAMILIES) mocks[family].behave(namedBehaviours(family));
  return {
    gateway,
    mocks,
    behave,
    move: (family) => gateway.reload(resourcesOf(clouds, gatewaySpec, family)),
    close: async () => {
      await gateway.close();
      await clouds.close();
    },
  };
}

/** @param moved where the calls of {@link MOVED_KEY} go */
function resourcesOf(
  { upstreams }: MockClouds,
  gatewaySpec: Readonly<Record<string, unknown>>,
  moved: ProviderFamily = 'Anthropic',
): Resources {
  const served = PROVIDER_FAMILIES.map(
    (family) => [family.toLowerCase(), family.toLowerCase(), keyOf(family)] as const,
  );
  const keys = [...served, ['moved', moved.toLowerCase(), MOVED_KEY] as const];
  return {
    objects: [
      object('Gateway', 'claude', { publicUrl: 'http://127.0.0.1:1', dialects: ALL_DIALECTS, ...gatewaySpec }),
      ...upstreams,
      ...keys.flatMap(([name, upstream]) => [
        policy(name, {
          match: { keySelector: { matchLabels: { holder: name } } },
          models: { allow: ['claude-*'] },
          upstreams: { names: [upstream] },
        }),
        importedKey(name, { owner: { type: 'User', name: 'dev@corp.example' } }, { labels: { holder: name } }),
      ]),
    ],
    secrets: {
      ...mockCloudSecrets(),
      [`${NAMESPACE}/keys`]: Object.fromEntries(keys.map(([name, , key]) => [name, key])),
    },
  };
}

/** With what it takes to put a real client in front. */
export interface TappedClouds extends Clouds {
  readonly tap: Tap & { readonly socketPath: string };
  /** What the client sent since {@link TappedClouds.clear}. */
  exchanges(): Exchange[];
  /** Of that, the calls that ask a model. */
  turns(): Exchange[];
  /** Audit records of calls that an upstream served since then. Waits for so many. */
  records(atLeast: number): Promise<readonly RecordedCall[]>;
  /** What the provider of a family was asked since then. */
  asked(family: ProviderFamily): readonly RecordedRequest[];
  clear(): void;
}

export async function startTappedClouds(): Promise<TappedClouds> {
  const clouds = await startClouds();
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-clouds-'));
  const socketPath = join(folder, 'tap.sock');
  const tap = await startTap(clouds.gateway.url, socketPath);
  const { audit } = clouds.gateway;
  let [seen, recorded] = [0, 0];
  let before = receivedBy(clouds);
  const exchanges = (): Exchange[] => tap.exchanges().slice(seen);
  const records = (): readonly RecordedCall[] => audit.slice(recorded).filter(({ upstream }) => upstream !== undefined);
  return {
    ...clouds,
    tap: { ...tap, socketPath },
    exchanges,
    turns: () => exchanges().filter(asksModel),
    records: (atLeast) => eventually(() => (records().length >= atLeast ? records() : undefined)),
    asked: (family) => {
      const mock = clouds.mocks[family];
      const count = mock.received() - before[family];
      return count === 0 ? [] : mock.requests.slice(-count);
    },
    clear: () => {
      [seen, recorded] = [tap.exchanges().length, audit.length];
      before = receivedBy(clouds);
    },
    close: async () => {
      await tap.close();
      await clouds.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function receivedBy({ mocks }: Clouds): Readonly<Record<ProviderFamily, number>> {
  const counts = PROVIDER_FAMILIES.map((family) => [family, mocks[family].received()]);
  return Object.fromEntries(counts) as Record<ProviderFamily, number>;
}

function asksModel({ request }: Exchange): boolean {
  return /^POST \S*(?:\/v1\/messages(?:\?\S*)?|\/invoke(?:-with-response-stream)?|:(?:rawPredict|streamRawPredict)) /.test(
    request.startLine.replace(/\S*count-tokens:rawPredict/, ''),
  );
}

/** What a family says when a prompt is too long, and when it is asked too often: in its own shape and words. */
export function refusing(family: ProviderFamily, how: 'too long' | 'limited'): Behaviour {
  const native = !['Anthropic', 'AnthropicCompatible'].includes(family);
  if (how === 'limited') {
    return { kind: 'status', status: 429, message: 'slow down', native, headers: { 'retry-after': '1' } };
  }
  return { kind: 'status', status: 400, message: TOO_LONG_WORDS[family] ?? ANTHROPIC_TOO_LONG, native };
}

const ANTHROPIC_TOO_LONG = 'prompt is too long: 210104 tokens > 200000 maximum';
const TOO_LONG_WORDS: Readonly<Partial<Record<ProviderFamily, string>>> = {
  Bedrock: 'Input is too long for requested model.',
};

/** The first text of the conversation names what the provider does, so that scripts in any language ask for the same things. */
export function namedBehaviours(family: ProviderFamily): Behave {
  let limited = 0;
  return (request) => {
    if (/count[-_]tokens/.test(request.url)) return { kind: 'count', inputTokens: COUNTED };
    switch (firstText(request)) {
      case 'tool':
        return { kind: 'tool', name: 'weather', input: { city: 'Zürich', days: [1, 2] }, finalText: 'It rains.' };
      case 'thinking':
        return { kind: 'thinking', ...THINKING, text: TEXT };
      case 'slow':
        return { kind: 'events', count: 10_000, gapMs: 20, delta: 'word ' };
      case 'broken':
        return { kind: 'error-event', afterEvents: 3, errorType: 'overloaded_error', message: 'Overloaded' };
      case 'invalid':
        return { kind: 'status', status: 400, message: 'messages: roles must alternate' };
      case 'too long':
        return refusing(family, 'too long');
      case 'limited':
        return refusing(family, 'limited');
      case 'limited once':
        return (limited += 1) % 2 === 1 ? refusing(family, 'limited') : { kind: 'text', text: TEXT };
      default:
        return { kind: 'text', text: TEXT };
    }
  };
}

function firstText(request: RecordedRequest): unknown {
  const [first] = (request.json()?.['messages'] ?? []) as { content: unknown }[];
  const content = first?.content;
  return Array.isArray(content) ? (content as { text?: unknown }[])[0]?.text : content;
}
