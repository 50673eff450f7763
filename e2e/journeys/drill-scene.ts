// Where the failover drill takes place: upstreams of four families that take turns, and the ways in which one of them fails.
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { basicResources, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import type { Behaviour } from '../harness/mock-anthropic.ts';
import { mockCloudCredentials, mockCloudSecrets, startMockCloud } from '../harness/providers/mock-clouds.ts';

export const DRILL_FAMILIES = [
  'Anthropic',
  'Bedrock',
  'Vertex',
  'Foundry',
] as const satisfies readonly ProviderFamily[];
type DrillFamily = (typeof DRILL_FAMILIES)[number];

/** An upstream that answers nothing for so long is given up. */
const FIRST_BYTE_MS = 1_000;
/** Opens late and for a short time only, so that a fault is met by many calls, those of an open breaker among them. */
const BREAKER = { consecutiveFailures: 20, openFor: '300ms' };
const RECOVERY_MS = 400;

const status = (code: number): Behaviour => ({ kind: 'status', status: code, native: true });

/**
 * What an upstream does when it is struck, by turns where there is more than one. In this order: a limit shows that the upstream lives, and
 * so closes the breaker that the statuses before it opened.
 */
export const FAULTS = {
  '5xx': [status(500), status(502), status(503)],
  limit: [status(429)],
  timeout: [{ kind: 'hang' }],
  'early cut': [{ kind: 'cut', afterEvents: 0 }],
  cut: [{ kind: 'cut', afterEvents: 4 }],
} as const satisfies Readonly<Record<string, readonly Behaviour[]>>;

export type Fault = keyof typeof FAULTS;

/** A stream of 600 ms: long enough that all clients are inside of one at any time. */
const WELL: Behaviour = { kind: 'events', count: 4, gapMs: 150 };

export interface Drill {
  readonly gateway: TestGateway;
  /** Gives one upstream a fault, in place of the one before. */
  strike(family: DrillFamily, fault: Fault): void;
  /** Requests that met a fault since the start. */
  met(): number;
  /** Everybody is well again, and known to be. */
  heal(): Promise<void>;
  close(): Promise<void>;
}

export async function startDrill(): Promise<Drill> {
  const clouds = await Promise.all(DRILL_FAMILIES.map((family) => startMockCloud(family)));
  let met = 0;
  const recover = (): void => {
    for (const cloud of clouds) cloud.behave(() => WELL);
  };
  recover();
  const base = basicResources('http://127.0.0.1:9', {
    routing: { strategy: 'RoundRobin', stickyBy: 'None' },
    listen: { timeouts: { firstByte: `${FIRST_BYTE_MS}ms` } },
  });
  const upstreams = clouds.map((cloud) => cloud.upstream({ breaker: BREAKER }));
  const objects = base.objects.filter(({ kind }) => kind !== 'Upstream');
  const gateway = await startGateway(withObjects({ ...base, objects }, upstreams, mockCloudSecrets()), {
    openCredentials: mockCloudCredentials(),
  });
  return {
    gateway,
    strike: (family, fault) => {
      recover();
      const behaviours: readonly Behaviour[] = FAULTS[fault];
      clouds.find((cloud) => cloud.family === family)!.behave(() => behaviours[(met += 1) % behaviours.length]!);
    },
    met: () => met,
    heal: () => {
      recover();
      return new Promise((resolve) => setTimeout(resolve, RECOVERY_MS));
    },
    close: async () => {
      await gateway.close();
      await Promise.all(clouds.map((cloud) => cloud.close()));
    },
  };
}
