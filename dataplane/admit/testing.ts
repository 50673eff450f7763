// Entries of a bundle for tests of this room, with the parts that are the same everywhere filled in.
import {
  BUNDLE_FORMAT,
  type Bundle,
  type KeyEntry,
  type PolicyEntry,
  type UpstreamEntry,
} from '#shared/bundle/bundle.ts';
import { SecretText } from '#shared/secret-text.ts';
import { buildSnapshot, type Settings } from '../config/snapshot.ts';
import { openCredentials } from '../providers/testing.ts';
import { KeyIndex } from '../identify/key-index.ts';
import type { Principal } from '../identify/principal.ts';

/** Namespace of the Gateway. */
export const HOME = 'platform';
export const ADDRESS = '10.0.0.1';

export type PolicyParts = Partial<Omit<PolicyEntry, 'match' | 'models'>> & {
  readonly match?: Partial<PolicyEntry['match']>;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
};

/** A policy for everyone unless it says otherwise; of a tenant when its namespace is not {@link HOME}. */
export function policyEntry(name: string, { match, allow, deny = [], ...parts }: PolicyParts = {}): PolicyEntry {
  const namespace = parts.namespace ?? HOME;
  return {
    key: `${namespace}/${name}`,
    namespace,
    priority: 0,
    tenant: namespace !== HOME,
    match: { everyone: match === undefined, ...match },
    models: { ...(allow === undefined ? {} : { allow }), deny },
    ...parts,
  };
}

export function keyEntry(parts: Partial<KeyEntry> = {}): KeyEntry {
  const namespace = parts.namespace ?? HOME;
  return {
    hash: '00'.repeat(32),
    key: `${namespace}/ci`,
    namespace,
    prefix: 'sk-pc-abcd',
    owner: { type: 'Service', name: 'ci' },
    labels: {},
    state: 'Active',
    scopes: ['read', 'write'],
    ...parts,
  };
}

/** @param models model id to what the upstream calls it */
export function upstreamEntry(
  name: string,
  models: Readonly<Record<string, string>> = {},
  namespace = HOME,
): UpstreamEntry {
  return {
    key: `${namespace}/${name}`,
    name,
    namespace,
    labels: {},
    provider: 'Anthropic',
    baseUrl: `https://${name}.test`,
    credential: { type: 'Headers' },
    headers: [],
    priority: 0,
    weight: 1,
    models: Object.entries(models).map(([id, upstreamId]) => ({ id, upstreamId })),
    countTokens: true,
    connectRetries: 0,
    breaker: { consecutiveFailures: 5, openFor: 1_000 },
  };
}

export interface World {
  readonly policies?: readonly PolicyEntry[];
  readonly upstreams?: readonly UpstreamEntry[];
  readonly models?: Bundle['models'];
  readonly gateway?: Partial<Bundle['gateway']>;
}

/** The settings of a Gateway in {@link HOME} with one upstream, unless there are others. */
export function settingsOf(world: World): Settings {
  const pepper = new SecretText('p'.repeat(32));
  return buildSnapshot('test', bundleOf(world), { pepper, values: {} }, KeyIndex.of(pepper, []), openCredentials())
    .settings;
}

/** The bundle of such a Gateway. */
export function bundleOf({ policies = [], upstreams, models = [], gateway = {} }: World): Bundle {
  return {
    format: BUNDLE_FORMAT,
    gateway: {
      name: 'claude',
      namespace: HOME,
      publicUrl: 'https://claude.test',
      paused: false,
      listen: {
        port: 8080,
        trustedProxies: [],
        access: { allow: [], deny: [] },
        limits: { maxBodyBytes: 1, maxHeaderBytes: 1, maxUrlBytes: 1, maxConcurrentUpstream: 1, maxQueued: 1 },
        timeouts: { body: 1, queue: 1, connect: 1, firstByte: 1, streamIdle: 1, ping: 1, keepAlive: 1, drain: 1 },
      },
      virtualKeys: { prefix: 'sk-pc-', onRevoke: 'Finish' },
      builtinModels: true,
      routing: { failoverOn: [], exposeUpstream: false },
      defaultAccess: 'Deny',
      pricing: { multiplier: '1.0', overrides: [] },
      metrics: { port: 9090, principalLabel: 'None' },
      logLevel: 'info',
      ...gateway,
    },
    models,
    policies,
    upstreams: upstreams ?? [upstreamEntry('anthropic')],
  };
}

export function principalOf(key: KeyEntry): Principal {
  return { id: key.key, method: 'virtual_key', owner: key.owner.name, email: undefined, key, source: 'x-api-key' };
}
