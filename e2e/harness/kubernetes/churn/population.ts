// The objects that churn: policies that each rule one team's keys, and keys whose values are known, so that anybody's right can be worked out.
import type { KubeObject } from '#shared/kube/object.ts';

export const GATEWAY = 'claude';
/** Allowed by every policy, always. */
export const PLAIN = 'claude-haiku-5-5';
/** Allowed or denied, as a policy's last edit says. */
export const DISPUTED = 'claude-opus-5-5';
/** Secret that holds the values of all keys. */
const VALUES = 'values';

export interface ChurnKey {
  readonly name: string;
  readonly team: number;
  state: 'Active' | 'Disabled' | 'Revoked';
}

export interface ChurnPolicy {
  readonly team: number;
  opus: 'allowed' | 'denied';
}

export const valueOf = (name: string): string => `${name}-0123456789-abcdefghijklmnop-QRSTUV`;

type Manifest = KubeObject & { readonly spec: object };

const meta = (namespace: string, name: string, labels?: Record<string, string>): KubeObject['metadata'] => ({
  name,
  namespace,
  ...(labels === undefined ? {} : { labels }),
});

export function gatewayManifest(namespace: string, replicas: number): Manifest {
  const spec = { publicUrl: 'http://localhost:8080', deployment: { replicas } };
  return { metadata: meta(namespace, GATEWAY), spec };
}

export function upstreamManifest(namespace: string, url: string): Manifest {
  return {
    metadata: meta(namespace, 'anthropic'),
    spec: {
      gatewayRef: { name: GATEWAY },
      provider: 'Anthropic',
      baseUrl: url,
      anthropic: { auth: { type: 'APIKey', apiKey: { name: 'anthropic', key: 'token' } } },
    },
  };
}

export function policyManifest(namespace: string, { team, opus }: ChurnPolicy): Manifest {
  return {
    metadata: meta(namespace, `team-${team}`),
    spec: {
      gatewayRef: { name: GATEWAY },
      match: { keySelector: { matchLabels: { team: `t${team}` } } },
      models: { allow: ['claude-*'], ...(opus === 'denied' ? { deny: ['claude-opus-*'] } : {}) },
    },
  };
}

export function keyManifest(namespace: string, { name, team, state }: ChurnKey): Manifest {
  return {
    metadata: meta(namespace, name, { team: `t${team}` }),
    spec: {
      gatewayRef: { name: GATEWAY },
      owner: { type: 'Service', name },
      credential: { type: 'Imported', imported: { secretRef: { name: VALUES, key: name } } },
      state,
    },
  };
}

/** Values of all keys there will ever be. */
export function valuesManifest(namespace: string, names: readonly string[]): KubeObject & { data: object } {
  return {
    metadata: meta(namespace, VALUES),
    data: Object.fromEntries(names.map((name) => [name, Buffer.from(valueOf(name)).toString('base64')])),
  };
}

/** HTTP status of a call with this key for this model. */
export function right(
  key: Pick<ChurnKey, 'state'> | undefined,
  policy: Pick<ChurnPolicy, 'opus'>,
  model: string,
): number {
  if (key === undefined || key.state === 'Revoked') return 401;
  if (key.state === 'Disabled') return 403;
  return model === DISPUTED && policy.opus === 'denied' ? 400 : 200;
}
