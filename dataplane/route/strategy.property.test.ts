// The promise to compliance: whatever policies, labels, regions, strategies, hints, sessions and failures there are, no request reaches an
// upstream outside of what its caller is allowed. Manifests are compiled, calls admitted and exchanged for real; only the sockets and the
// upstreams behind them are made up. What is allowed is worked out a second time below, from the manifests alone.
import * as fc from 'fast-check';
import type { Dispatcher } from 'undici';
import { expect, test } from 'vitest';
import type { KeyEntry, UpstreamEntry } from '#shared/bundle/bundle.ts';
import { compile } from '#shared/compile/compile.ts';
import { inputOf, object, PEPPER } from '#shared/compile/testing.ts';
import { SecretText } from '#shared/secret-text.ts';
import { admitCaller, admitModel } from '../admit/admit.ts';
import { ADDRESS, keyEntry, principalOf } from '../admit/testing.ts';
import { buildSnapshot, type Settings } from '../config/snapshot.ts';
import { GatewayError } from '../errors.ts';
import { KeyIndex } from '../identify/key-index.ts';
import { openCredentials } from '../providers/testing.ts';
import { NO_OBSERVER } from '../probe/call-observer.ts';
import { newCallRecord } from '../meter/call-record.ts';
import { readMessageFields } from '../providers/message-fields.ts';
import type { Call } from '../server/call.ts';
import { anthropicDialect } from '../server/dialect-anthropic.ts';
import type { Exchange } from './exchange.ts';
import { forward } from './forwarder.ts';
import type { RouteContext } from './route-context.ts';
import { ROUTE_LABEL } from './order.ts';
import { Slots } from './slots.ts';
import { routingState } from './strategy.ts';
import { otherProvider, seeded } from './testing.ts';

const CALLS_A_WORLD = 50;
const WORLDS = 2_000;
const HOME = 'p';
const MODELS = ['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-5-5'] as const;
const REGIONS = ['us-east-1', 'us-west-2', 'eu-central-1', undefined] as const;
const STRATEGIES = ['Ordered', 'Weighted', 'RoundRobin', 'LeastBusy', 'Latency', 'Cheapest'] as const;

interface UpstreamIdea {
  readonly key: string;
  readonly region: string | undefined;
  readonly baa: boolean;
  readonly elsewhere: boolean;
  readonly spec: object;
}

interface PolicyIdea {
  readonly namespace: string;
  /** undefined: everyone. */
  readonly group: string | undefined;
  readonly names: readonly string[] | undefined;
  readonly baa: boolean;
  readonly regions: readonly string[] | undefined;
  readonly forbid: boolean;
  readonly allow: readonly string[] | undefined;
  readonly deny: readonly string[];
}

interface World {
  readonly upstreams: readonly UpstreamIdea[];
  readonly policies: readonly PolicyIdea[];
  readonly routing: object;
  readonly fallbacks: readonly { readonly from: string; readonly to: string }[];
  readonly seed: number;
}

const KEYS = ['p/u0', 'p/u1', 'p/u2', 'p/u3', 'team-a/own'] as const;
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Rules that leave little over are rare, or most calls would end before they reach anything. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const upstreamIdea = (key: string): fc.Arbitrary<UpstreamIdea> =>
  fc.record({
    key: fc.constant(key),
    region: fc.constantFrom(...REGIONS),
    baa: fc.boolean(),
    elsewhere: fc.boolean(),
    spec: fc.record(
      {
        priority: fc.nat(2),
        weight: fc.nat(3),
        maxConcurrent: fc.integer({ min: 1, max: 2 }),
        breaker: fc.constant({ consecutiveFailures: 2, openFor: '1s' }),
        retries: fc.constant({ connect: 1 }),
      },
      { requiredKeys: ['retries'] },
    ),
  });

const policyIdea: fc.Arbitrary<PolicyIdea> = fc.record({
  namespace: fc.constantFrom(HOME, HOME, 'team-a'),
  group: fc.constantFrom(undefined, 'g0', 'g1'),
  names: maybe(fc.subarray([...KEYS], { minLength: 2 })),
  baa: seldom(fc.constant(true)).map((baa) => baa ?? false),
  regions: seldom(fc.subarray(['us-east-1', 'us-*', 'eu-central-1'], { minLength: 2 })),
  forbid: fc.boolean(),
  allow: seldom(fc.subarray([...MODELS], { minLength: 1 })),
  deny: seldom(fc.subarray([...MODELS], { maxLength: 1 })).map((deny) => deny ?? []),
});

const world: fc.Arbitrary<World> = fc.record({
  upstreams: fc.tuple(...KEYS.map(upstreamIdea)),
  policies: fc.array(policyIdea, { minLength: 1, maxLength: 4 }),
  routing: fc.record({
    strategy: fc.constantFrom(...STRATEGIES),
    stickyBy: fc.constantFrom('Session', 'Caller', 'None'),
    hintHeader: fc.constant('x-org-route'),
  }),
  fallbacks: fc.subarray([
    { from: MODELS[0], to: MODELS[1] },
    { from: MODELS[1], to: MODELS[2] },
  ]),
  seed: fc.integer(),
});

/** What the manifests say about one caller, without a line of the code under test. */
function allowedFor({ upstreams, policies }: World, key: KeyEntry) {
  const merged = (namespace: string): PolicyIdea[] => {
    const there = policies.filter((policy) => policy.namespace === namespace);
    // A tenant's policy means the tenant's own groups.
    const group = key.owner.name.replace('team-a/', '');
    const mine = key.namespace === 'team-a' && namespace === HOME ? undefined : group;
    const specific = there.find((policy) => policy.group !== undefined && policy.group === mine);
    const everyone = there.find((policy) => policy.group === undefined);
    return [specific, everyone].filter((policy) => policy !== undefined);
  };
  const own = merged(HOME);
  const layers = key.namespace === HOME ? [own] : [own, merged(key.namespace)];
  const chosenBy = (layer: PolicyIdea[], { key: name, baa }: UpstreamIdea): boolean | undefined => {
    const decisive = layer.find((policy) => policy.names !== undefined || policy.baa);
    return decisive && ((decisive.names ?? []).includes(name) || (decisive.baa && baa && name.startsWith(`${HOME}/`)));
  };
  const inRegions = ({ region = '-' }: UpstreamIdea) =>
    layers
      .flat()
      .every(
        ({ regions }) =>
          regions?.some((each) => each === region || (each === 'us-*' && region.startsWith('us-'))) ?? true,
      );
  const mayUse = (model: string) =>
    layers.every((layer) => {
      const allow = layer.find((policy) => policy.allow !== undefined)?.allow;
      return (allow?.includes(model) ?? true) && !layer.some(({ deny }) => deny.includes(model));
    });
  const places = upstreams.filter(
    (upstream) =>
      (chosenBy(own, upstream) ?? upstream.key.startsWith(`${HOME}/`)) &&
      (layers[1] === undefined || (chosenBy(layers[1], upstream) ?? true)) &&
      inRegions(upstream),
  );
  return {
    keys: new Set(own.length === 0 ? [] : places.map(({ key: name }) => name)),
    mayUse,
    oneProvider: layers.flat().some(({ forbid }) => forbid),
  };
}

function settingsOf({ upstreams, policies, routing, fallbacks }: World): Settings {
  const objects = [
    object('Gateway', 'p/gw', {
      publicUrl: 'http://localhost:8080',
      routing,
      models: { fallbacks },
      allowedNamespaces: { upstreams: { from: 'All' }, policies: { from: 'All' } },
    }),
    ...upstreams.map(({ key, region, baa, spec }) =>
      object(
        'Upstream',
        key,
        {
          gatewayRef: { name: 'gw', namespace: HOME },
          provider: 'Anthropic',
          anthropic: { auth: { type: 'APIKey', apiKey: { name: 's', key: 'k' } } },
          baseUrl: `https://${key.replace('/', '-')}.test`,
          ...(region === undefined ? {} : { region }),
          ...spec,
        },
        { labels: { [ROUTE_LABEL]: baa ? 'hipaa' : 'plain', ...(baa ? { baa: 'signed' } : {}) } },
      ),
    ),
    ...policies.map(({ namespace, group, names, baa, regions, forbid, allow, deny }, index) =>
      object('Policy', `${namespace}/q${index}`, {
        gatewayRef: { name: 'gw', namespace: HOME },
        priority: 100 - index,
        match: group === undefined ? { everyone: {} } : { groups: [group] },
        models: { deny, ...(allow === undefined ? {} : { allow }) },
        upstreams: {
          ...(names === undefined ? {} : { names }),
          ...(baa ? { selector: { matchLabels: { baa: 'signed' } } } : {}),
          ...(regions === undefined ? {} : { regions }),
          crossProvider: forbid ? 'Forbid' : 'Allow',
        },
      }),
    ),
  ];
  const secrets = { 'p/s': { k: 'sk-planted-0001' }, 'team-a/s': { k: 'sk-planted-0002' } };
  const compiled = compile(inputOf(objects, secrets)).gateways.get('p/gw')!;
  // More than one provider, whatever the schema knows by now.
  const elsewhere = new Set(upstreams.filter((each) => each.elsewhere).map(({ key }) => key));
  const provider = (entry: UpstreamEntry) => (elsewhere.has(entry.key) ? otherProvider : entry.provider);
  const entries = compiled.bundle.upstreams.map((entry) => ({ ...entry, provider: provider(entry) }));
  const pepper = new SecretText(PEPPER);
  const bundle = { ...compiled.bundle, upstreams: entries };
  return buildSnapshot('r', bundle, compiled.credentials, KeyIndex.of(pepper, []), openCredentials()).settings;
}

const CALLERS: readonly KeyEntry[] = [
  keyEntry({ namespace: HOME, key: 'p/a', owner: { type: 'Team', name: 'g0' } }),
  keyEntry({ namespace: HOME, key: 'p/b', owner: { type: 'Team', name: 'g1' } }),
  keyEntry({ namespace: 'team-a', key: 'team-a/c', owner: { type: 'Team', name: 'team-a/g0' } }),
];

interface Reached {
  readonly upstream: string;
  readonly model: string;
}

/** Upstreams that answer by chance, and who was reached by the call at hand. */
function madeUpWorld(random: () => number, time: { now: number }) {
  let exchange: Exchange | undefined;
  const reached: Reached[] = [];
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const dispatch = (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean => {
    const { model } = JSON.parse((options.body as Buffer).toString()) as { model: string };
    reached.push({
      upstream: new URL(String(options.origin)).hostname.replace('.test', '').replace(/-(?=u\d|own)/, '/'),
      model,
    });
    const status = pick([0, 200, 200, 401, 404, 429, 429, 500, 501, 529, 1]);
    let aborted = false;
    const controller = {
      abort: (error: Error) => {
        aborted = true;
        handler.onResponseError?.(controller, error);
      },
      pause: () => undefined,
      resume: () => undefined,
    } as unknown as Dispatcher.DispatchController;
    if (status === 0) {
      handler.onResponseError?.(undefined as never, new Error('refused'));
      return true;
    }
    handler.onRequestStart?.(controller, undefined);
    if (status === 1) {
      time.now += 200_000;
      exchange!.sweep(time.now);
      return true;
    }
    const headers = { 'content-type': 'application/json', ...(random() < 0.5 ? { 'retry-after': '2' } : {}) };
    handler.onResponseStart?.(controller, status, headers, '');
    if (!aborted) handler.onResponseEnd?.(controller, {});
    return true;
  };
  const observed: string[] = [];
  const context = {
    ...routingState(() => time.now, random),
    pools: { of: () => ({ dispatch }) },
    slots: new Slots(1),
    sweeper: { add: (added: Exchange) => void (exchange = added), delete: () => undefined },
    wallClock: () => 1_790_000_000_000,
    charge: () => undefined,
    health: NO_OBSERVER,
    observe: {
      attempt: () => undefined,
      crossing: (from: string, to: string) => void observed.push(`${from} to ${to}`),
      fallback: () => undefined,
    },
  } as unknown as RouteContext;
  return { context, reached, observed, pick };
}

function callOf(settings: Settings, key: KeyEntry, headers: Record<string, string>): Call {
  const response = {
    headersSent: false,
    destroyed: false,
    writableEnded: true,
    writableLength: 0,
    writeHead: () => undefined,
    write: () => true,
    end: () => undefined,
    destroy: () => undefined,
  };
  const request = { headers, rawHeaders: [], complete: true };
  const call = {
    id: 'x',
    request,
    response,
    path: '/v1/messages',
    search: '',
    address: ADDRESS,
    credentials: [],
    settings,
    dialect: anthropicDialect,
  };
  return { ...call, record: newCallRecord(0), principal: principalOf(key), watcher: undefined } as unknown as Call;
}

test(
  `[AUTHZ-12] [AUTHZ-13] [AUTHZ-14] [ROUTE-17] [ROUTE-26] no request reaches an upstream or model outside its allowed set, in ${WORLDS * CALLS_A_WORLD} calls`,
  { timeout: 300_000 },
  async () => {
    let [attempts, failovers, denied] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(world, async (idea) => {
        const settings = settingsOf(idea);
        const random = seeded(idea.seed);
        const time = { now: 0 };
        const { context, reached, observed, pick } = madeUpWorld(random, time);
        const allowed = new Map(CALLERS.map((key) => [key, allowedFor(idea, key)]));
        const elsewhere = new Map(idea.upstreams.map((each) => [each.key, each.elsewhere]));
        const providers = new Map<string, boolean>();
        const wrong: string[] = [];
        for (let i = 0; i < CALLS_A_WORLD; i++) {
          const key = pick(CALLERS);
          const name = pick(MODELS);
          const { keys, mayUse, oneProvider } = allowed.get(key)!;
          const counting = random() < 0.2;
          const call = callOf(settings, key, {
            'x-claude-code-session-id': pick(['s0', 's1', 's2']),
            'x-org-route': pick(['hipaa', 'u1', 'team-a/own', 'nowhere', '']),
          });
          time.now += random() * 2_000;
          // Other calls that run meanwhile, so that upstreams may be full.
          const busy = pick(KEYS);
          context.loads.take(busy);
          reached.length = observed.length = 0;
          try {
            const principal = principalOf(key);
            const access = admitCaller(settings, principal, ADDRESS, undefined, 'write', {});
            const grant = admitModel(settings, principal, access, name, counting);
            const body = Buffer.from(JSON.stringify({ model: name }));
            const fields = readMessageFields(body);
            const { id, owner, email } = principal;
            await forward(context, call, grant, {
              client: call.request,
              callId: call.id,
              caller: { id, owner, email },
              operation: counting ? 'count' : 'messages',
              search: '',
              format: 'Messages',
              body,
              fields,
              model: grant.model,
              credentials: [],
            });
          } catch (error) {
            if (!(error instanceof GatewayError)) throw error;
            denied++;
          }
          context.loads.give(busy);

          attempts += reached.length;
          if (reached.length > 1) failovers++;
          for (const { upstream, model } of reached) {
            const to = `${key.key} for ${name} at ${upstream}`;
            if (!keys.has(upstream)) wrong.push(`${to}: not allowed`);
            if (!mayUse(model) || (counting && model !== name)) wrong.push(`${to}: got ${model}`);
            if (!oneProvider) continue;
            // Not within one call and not from one call to the next, however sick one of the providers is.
            const before = providers.get(`${key.key} ${name}`) ?? elsewhere.get(upstream)!;
            providers.set(`${key.key} ${name}`, before);
            if (elsewhere.get(upstream) !== before || observed.length > 0) wrong.push(`${to}: another provider`);
          }
          const changes = reached.filter(
            ({ upstream }, at) => at > 0 && elsewhere.get(upstream) !== elsewhere.get(reached[at - 1]!.upstream),
          );
          if (!counting && observed.length < changes.length) wrong.push(`${key.key}: a crossing not counted`);
          if (context.slots.inUse > 0 || KEYS.some((each) => context.loads.of(each) > 0)) wrong.push('a place is lost');
        }
        expect(wrong).toEqual([]);
      }),
      // What fails is made smaller for as long as there is time to say so.
      { numRuns: WORLDS, interruptAfterTimeLimit: 200_000, markInterruptAsFailure: true },
    );
    // The promise is empty unless much was tried, much failed over and much was refused.
    expect(attempts).toBeGreaterThan(50_000);
    expect(failovers).toBeGreaterThan(20_000);
    expect(denied).toBeGreaterThan(5_000);
  },
);
