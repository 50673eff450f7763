// A data plane in this process, compiled from resources like a real one, on free loopback ports. For tests of behaviour: what goes in
// at the client's side, what comes out at the upstream's, what the audit says.
import pino from 'pino';
import type { Bundle } from '#shared/bundle/bundle.ts';
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import { compile } from '#shared/compile/compile.ts';
import { SecretText } from '#shared/secret-text.ts';
import { openedCredentials } from '#dataplane/cli/credential-ports.ts';
import { buildSnapshot, SnapshotHolder } from '#dataplane/config/snapshot.ts';
import { createDataPlane, type DataPlane, type DataPlaneOptions } from '#dataplane/data-plane.ts';
import { KeyIndex } from '#dataplane/identify/key-index.ts';
import type { OpenCredentials } from '#dataplane/providers/target.ts';
import { freePort } from './free-port.ts';
import { eventually, onPorts, type Resources } from './resources.ts';

export * from './resources.ts';

export interface TestGateway {
  readonly url: string;
  readonly metricsUrl: string;
  readonly plane: DataPlane;
  /** Audit records so far, parsed, oldest first. */
  readonly audit: Readonly<Record<string, unknown>>[];
  /** Audit lines and operational log lines as written: for planting secrets and looking for them. */
  readonly written: string[];
  /** The operational log, whose level follows the configuration. */
  readonly log: pino.Logger;
  /** Compiles and swaps, as a reload does. */
  reload(resources: Resources): void;
  /** Waits until an audit record satisfies the test, at most two seconds. */
  record(test: (record: Readonly<Record<string, unknown>>) => boolean): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

/** @throws when the resources do not compile to a Gateway, with all statuses in the message */
export async function startGateway(
  resources: Resources,
  {
    environmentProxy,
    probing = false,
    onReport,
    openCredentials = openedCredentials({ environment: {}, environmentProxy }),
    rewrite,
  }: Partial<Pick<DataPlaneOptions, 'environmentProxy' | 'probing' | 'onReport'>> & {
    readonly openCredentials?: OpenCredentials;
  } & Pick<Placing, 'rewrite'> = {},
): Promise<TestGateway> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const holder = new SnapshotHolder();
  const load = (next: Resources): void => {
    const lastCatalog = holder.current?.settings.catalog.overlay;
    holder.swap(snapshotOf(next, { port, metricsPort, openCredentials, lastCatalog, rewrite }));
  };
  load(resources);
  const audit: Record<string, unknown>[] = [];
  const written: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void written.push(line) });
  const plane = createDataPlane({
    holder,
    audit: {
      write: (line) => {
        written.push(line);
        audit.push(JSON.parse(line) as Record<string, unknown>);
      },
    },
    log,
    version: '0.0.0-test',
    environmentProxy,
    probing,
    ...(onReport === undefined ? {} : { onReport }),
  });
  await plane.listen();
  return {
    url: `http://127.0.0.1:${port}`,
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    plane,
    audit,
    written,
    log,
    reload: load,
    record: (test) => eventually(() => audit.find(test)),
    close: () => plane.drain(),
  };
}

let revisions = 0;

export interface Placing {
  readonly port: number;
  readonly metricsPort: number;
  readonly openCredentials: OpenCredentials;
  /** In force so far: what a catalog that cannot be used leaves. */
  readonly lastCatalog?: CatalogOverlay | undefined;
  /** What another release of the operator writes in place of the bundle. */
  readonly rewrite?: ((bundle: Bundle) => Bundle) | undefined;
}

/** What such a gateway serves by. @throws when the resources do not compile to a Gateway, with all statuses in the message */
export function snapshotOf(
  { objects, secrets, configMaps, namespaces, tombstones }: Resources,
  { port, metricsPort, openCredentials, lastCatalog, rewrite }: Placing,
) {
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
    catalogs: new Map(Object.entries(configMaps ?? {}).map(([key, data]) => [key, new Map(Object.entries(data))])),
    lastCatalogs: new Map(lastCatalog === undefined ? [] : [[name, lastCatalog]]),
    namespaces: new Map(Object.entries(namespaces ?? {})),
    peppers: new Map([[name, new SecretText('pepper'.repeat(8))]]),
    tombstones: new Map([[name, new Set(tombstones)]]),
  });
  const compiled = output.gateways.get(name);
  if (compiled === undefined) throw new Error(`no Gateway: ${JSON.stringify(output.statuses, null, 2)}`);
  return buildSnapshot(
    `test-${++revisions}`,
    rewrite === undefined ? compiled.bundle : rewrite(compiled.bundle),
    compiled.credentials,
    KeyIndex.of(compiled.credentials.pepper, compiled.keys),
    openCredentials,
  );
}
