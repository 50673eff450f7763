// A data plane in this process, compiled from resources like a real one, on free loopback ports. For tests of behaviour: what goes in
// at the client's side, what comes out at the upstream's, what the audit says.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { compile } from '#shared/compile/compile.ts';
import type { RawObject } from '#shared/compile/types.ts';
import { SecretText } from '#shared/secret-text.ts';
import { buildSnapshot, SnapshotHolder } from '#dataplane/config/snapshot.ts';
import { createDataPlane, type DataPlane } from '#dataplane/data-plane.ts';

export const NAMESPACE = 'default';
/** Value of the key `ci` of {@link basicResources}. */
export const CI_KEY = 'sk-pc-ci-0123456789abcdefghijklmnopqrstuvwxyzABCD';
/** The provider credential of {@link basicResources}; must never reach a client. */
export const PROVIDER_KEY = 'sk-ant-api03-provider-secret-0123456789';

export interface Resources {
  readonly objects: readonly RawObject[];
  /** Values by `namespace/name`, then key. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly tombstones?: readonly string[];
}

export interface TestGateway {
  readonly url: string;
  readonly metricsUrl: string;
  readonly plane: DataPlane;
  /** Audit records so far, parsed, oldest first. */
  readonly audit: Readonly<Record<string, unknown>>[];
  /** Audit lines and operational log lines as written: for planting secrets and looking for them. */
  readonly written: string[];
  /** Compiles and swaps, as a reload does. */
  reload(resources: Resources): void;
  /** Waits until an audit record satisfies the test, at most two seconds. */
  record(test: (record: Readonly<Record<string, unknown>>) => boolean): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<unknown>((resolve) => server.close(resolve));
  return port;
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

function merge(a: Resources['secrets'], b: Resources['secrets']): Resources['secrets'] {
  return Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((name) => [name, { ...a[name], ...b[name] }]),
  );
}

/** @throws when the resources do not compile to a Gateway, with all statuses in the message */
export async function startGateway(resources: Resources): Promise<TestGateway> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const holder = new SnapshotHolder();
  const load = (next: Resources): void => holder.swap(snapshot(next, port, metricsPort));
  load(resources);
  const audit: Record<string, unknown>[] = [];
  const written: string[] = [];
  const plane = createDataPlane({
    holder,
    audit: {
      write: (line) => {
        written.push(line);
        audit.push(JSON.parse(line) as Record<string, unknown>);
      },
    },
    log: pino({ level: 'debug' }, { write: (line: string) => void written.push(line) }),
    version: '0.0.0-test',
    environmentProxy: undefined,
  });
  await plane.listen();
  return {
    url: `http://127.0.0.1:${port}`,
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    plane,
    audit,
    written,
    reload: load,
    record: (test) => eventually(() => audit.find(test)),
    close: () => plane.drain(),
  };
}

let revisions = 0;

function snapshot({ objects, secrets, namespaces, tombstones }: Resources, port: number, metricsPort: number) {
  const placed = objects.map((each) => (each.kind === 'Gateway' ? onPorts(each, port, metricsPort) : each));
  const [gateway] = placed.filter(({ kind }) => kind === 'Gateway');
  const name = `${gateway?.metadata.namespace}/${gateway?.metadata.name}`;
  const output = compile({
    objects: placed,
    secrets: new Map(
      Object.entries(secrets).map(([key, values]) => [
        key,
        new Map(Object.entries(values).map(([k, value]) => [k, new SecretText(value)])),
      ]),
    ),
    namespaces: new Map(Object.entries(namespaces ?? {})),
    peppers: new Map([[name, new SecretText('pepper'.repeat(8))]]),
    tombstones: new Map([[name, new Set(tombstones)]]),
  });
  const compiled = output.gateways.get(name);
  if (compiled === undefined) throw new Error(`no Gateway: ${JSON.stringify(output.statuses, null, 2)}`);
  return buildSnapshot(`test-${++revisions}`, compiled.bundle, compiled.credentials, compiled.keys);
}

function onPorts(gateway: RawObject, port: number, metricsPort: number): RawObject {
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
