// Resources for tests: the four kinds with the parts that are the same everywhere filled in. Used in process and by the built program, so
// nothing here knows how they are served.
import type { RawObject } from '#shared/compile/types.ts';

export const NAMESPACE = 'default';
/** Value of the key `ci` of {@link basicResources}. */
export const CI_KEY = 'sk-pc-ci-0123456789abcdefghijklmnopqrstuvwxyzABCD';
/** The provider credential of {@link basicResources}; must never reach a client. */
export const PROVIDER_KEY = 'sk-ant-api03-provider-secret-0123456789';

export interface Resources {
  readonly objects: readonly RawObject[];
  /** Values by `namespace/name`, then key. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Data by `namespace/name`, then key. */
  readonly configMaps?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly tombstones?: readonly string[];
}

/** An object of ours with the parts that are the same everywhere filled in. */
export function object(
  kind: string,
  name: string,
  spec: Record<string, unknown>,
  metadata: Partial<RawObject['metadata']> = {},
): RawObject {
  const attached = kind === 'Gateway' ? spec : { gatewayRef: { name: 'claude' }, ...spec };
  return {
    apiVersion: 'portcullis.dev/v1alpha1',
    kind,
    metadata: { namespace: NAMESPACE, creationTimestamp: '2026-01-01T00:00:00Z', generation: 1, ...metadata, name },
    spec: attached,
  };
}

export function upstream(
  name: string,
  baseUrl: string,
  spec: Record<string, unknown> = {},
  metadata: Partial<RawObject['metadata']> = {},
): RawObject {
  return object(
    'Upstream',
    name,
    {
      provider: 'Anthropic',
      baseUrl,
      // Tests script what a mock answers call by call; a probe in between would take a turn.
      validation: { enabled: false },
      anthropic: { auth: { type: 'APIKey', apiKey: { name: 'anthropic', key: 'token' } } },
      ...spec,
    },
    metadata,
  );
}

/** A VirtualKey with an imported value; the Secret `keys` must hold it under the key's name. */
export function importedKey(
  name: string,
  spec: Record<string, unknown> = {},
  metadata: Partial<RawObject['metadata']> = {},
): RawObject {
  return object(
    'VirtualKey',
    name,
    {
      owner: { type: 'Service', name },
      credential: { type: 'Imported', imported: { secretRef: { name: 'keys', key: name } } },
      ...spec,
    },
    metadata,
  );
}

export function policy(
  name: string,
  spec: Record<string, unknown>,
  metadata: Partial<RawObject['metadata']> = {},
): RawObject {
  return object('Policy', name, spec, metadata);
}

/** Gateway `claude`, Upstream `anthropic`, Policy `everyone` (claude-*), VirtualKey `ci`. `startGateway` fills in ports. */
export function basicResources(upstreamUrl: string, gatewaySpec: Record<string, unknown> = {}): Resources {
  return {
    objects: [
      object('Gateway', 'claude', { publicUrl: 'http://127.0.0.1:1', ...gatewaySpec }),
      upstream('anthropic', upstreamUrl),
      policy('everyone', { match: { everyone: {} }, models: { allow: ['claude-*'] } }),
      importedKey('ci', {}, { labels: { team: 'build' } }),
    ],
    secrets: {
      [`${NAMESPACE}/anthropic`]: { token: PROVIDER_KEY },
      [`${NAMESPACE}/keys`]: { ci: CI_KEY },
    },
  };
}

/** The same resources with other objects added; an object of the same kind and name replaces the earlier one. */
export function withObjects(
  base: Resources,
  objects: readonly RawObject[],
  secrets: Resources['secrets'] = {},
): Resources {
  const id = ({ kind, metadata }: RawObject): string => `${kind} ${metadata.namespace}/${metadata.name}`;
  const added = new Set(objects.map(id));
  return {
    ...base,
    objects: [...base.objects.filter((each) => !added.has(id(each))), ...objects],
    secrets: merge(base.secrets, secrets),
  };
}

/** The same resources, their Gateway with other settings. */
export function withGatewaySpec(base: Resources, spec: Readonly<Record<string, unknown>>): Resources {
  const gateway = base.objects.find(({ kind }) => kind === 'Gateway')!;
  return withObjects(base, [{ ...gateway, spec: { ...(gateway.spec as object), ...spec } }]);
}

function merge(a: Resources['secrets'], b: Resources['secrets']): Resources['secrets'] {
  return Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((name) => [name, { ...a[name], ...b[name] }]),
  );
}

/** The Gateway on these loopback ports, its other fields as they are. */
export function onPorts(gateway: RawObject, port: number, metricsPort: number): RawObject {
  const spec = gateway.spec as { listen?: object; metrics?: object };
  return {
    ...gateway,
    spec: {
      ...spec,
      publicUrl: `http://127.0.0.1:${port}`,
      listen: { ...spec.listen, port },
      metrics: { ...spec.metrics, port: metricsPort },
    },
  };
}

/** Polls until there is a value; fails after two seconds. */
export async function eventually<T>(read: () => T | undefined, withinMs = 2_000): Promise<T> {
  const until = performance.now() + withinMs;
  for (;;) {
    const value = read();
    if (value !== undefined) return value;
    if (performance.now() > until) throw new Error(`nothing came within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
