// A whole path as in production: client → tap → the built program → tap → mock provider. Each call can be looked at from both ends of the
// gateway and in the audit record that joins them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { basicResources, type Resources } from './resources.ts';
import { startMockAnthropic, type MockAnthropic } from './mock-anthropic.ts';
import { startPortcullis, type AuditRecord, type PortcullisProcess } from './portcullis-process.ts';
import { startTap, type Exchange, type Tap } from './tap.ts';

/** One answered call. `atProvider` is undefined when nothing was sent upstream. */
export interface JourneyCall {
  readonly atClient: Exchange;
  readonly atProvider: Exchange | undefined;
  readonly audit: AuditRecord;
}

export interface Journey {
  readonly mock: MockAnthropic;
  readonly gateway: PortcullisProcess;
  /** What clients are given as their base URL. */
  readonly tap: Tap & { readonly socketPath: string };
  /** Gives the objects of a configuration their upstream: the tap in front of the mock. */
  readonly providerUrl: string;
  /** What clients sent since {@link Journey.clear}, calls that need no credential included. */
  exchanges(): Exchange[];
  /** The audited among them, joined by request ids; waits for their audit records. */
  calls(): Promise<JourneyCall[]>;
  /** Forgets what was seen so far. */
  clear(): void;
  close(): Promise<void>;
}

/** @param resources objects for the URL of a provider; default {@link basicResources} */
export async function startJourney(resources: (providerUrl: string) => Resources = basicResources): Promise<Journey> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-journey-'));
  const socketPath = join(folder, 'tap.sock');
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of closers.toReversed()) await step();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const mock = await startMockAnthropic();
    closers.push(() => mock.close());
    const provider = await startTap(mock.url);
    closers.push(() => provider.close());
    const gateway = await startPortcullis(resources(provider.url));
    closers.push(() => gateway.stop());
    const tap = await startTap(gateway.url, socketPath);
    closers.push(() => tap.close());
    let seen = 0;
    const exchanges = (): Exchange[] => tap.exchanges().slice(seen);
    return {
      mock,
      gateway,
      tap: { ...tap, socketPath },
      providerUrl: provider.url,
      exchanges,
      calls: () => joined(exchanges(), provider, gateway),
      clear: () => (seen = tap.exchanges().length),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function joined(exchanges: Exchange[], provider: Tap, gateway: PortcullisProcess): Promise<JourneyCall[]> {
  const upstream = provider.exchanges();
  const calls: JourneyCall[] = [];
  for (const atClient of exchanges) {
    const id = atClient.response?.headers['x-request-id'];
    if (atClient.request.startLine.startsWith('HEAD /api/hello ') || id === undefined) continue;
    const audit = await gateway.record(({ request_id }) => request_id === id);
    const upstreamId = audit['upstream_request_id'];
    const atProvider =
      upstreamId === undefined
        ? undefined
        : upstream.find(({ response }) => response?.headers['request-id'] === upstreamId);
    calls.push({ atClient, atProvider, audit });
  }
  return calls;
}

/** The body of a request as an object. */
export function jsonOf({ request }: Exchange): Readonly<Record<string, unknown>> {
  return JSON.parse(request.body.toString()) as Record<string, unknown>;
}
