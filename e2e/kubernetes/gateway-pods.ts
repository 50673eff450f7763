// Pods of a Gateway against a real API server: made from the workloads that the operator renders, under the service account and the Role that
// it ships, fed by its publisher. The operator itself is left out, so that a test says what is published, and when.
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import type { GatewayIdentity } from '#operator/publish/objects.ts';
import { createPublisher, type Published, type Publisher } from '#operator/publish/publisher.ts';
import { accountName } from '#operator/workloads/identity.ts';
import { renderWorkloads } from '#operator/workloads/render.ts';
import { gatewaySpec } from '#shared/api/gateway.ts';
import { compile } from '#shared/compile/compile.ts';
import type { CompiledGateway, RawObject } from '#shared/compile/types.ts';
import { LOADED_SEQUENCE_ANNOTATION, OPERATOR_MANAGER } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { Lease } from '#shared/kube/types.ts';
import { SecretText } from '#shared/secret-text.ts';
import type { ControlPlane } from '../harness/kubernetes/control-plane.ts';
import { startMiniKubelet, type MiniKubelet, type RunningPod } from '../harness/kubernetes/mini-kubelet.ts';
import type { Resources } from '../harness/resources.ts';

const PROGRAM = fileURLToPath(new URL('../../dataplane/main.ts', import.meta.url));
export const GATEWAY = 'claude';
const PORT = 8080;

export interface GatewayPods {
  readonly gateway: GatewayIdentity;
  /** Of the pods. */
  readonly serviceAccount: string;
  readonly publisher: Publisher;
  readonly kubelet: MiniKubelet;
  /** Compiles and publishes. The resources' namespace `default` stands for that of the Gateway. */
  publish(resources: Resources): Promise<Published>;
  /** Pods that are ready. */
  ready(): readonly RunningPod[];
  /** The pods' own words, by pod. */
  leases(): Promise<ReadonlyMap<string, Lease>>;
  close(): Promise<void>;
}

export const urlOf = ({ address }: RunningPod): string => `http://${address}:${PORT}`;

export const loadedOf = (lease: Lease | undefined): number =>
  Number(lease?.metadata.annotations?.[LOADED_SEQUENCE_ANNOTATION] ?? 0);

/** @param spec of the Gateway, beside its address and ports */
export async function startGatewayPods(
  plane: ControlPlane,
  namespace: string,
  spec: Readonly<Record<string, unknown>> = {},
): Promise<GatewayPods> {
  const { admin } = plane;
  const whole = { publicUrl: `http://localhost:${PORT}`, listen: { port: PORT }, metrics: { port: 9090 }, ...spec };
  const object = { metadata: { name: GATEWAY, namespace }, spec: whole };
  const made = await admin.create<KubeObject>(RESOURCE.Gateway, object);
  const gateway: GatewayIdentity = { name: GATEWAY, namespace, uid: made.metadata.uid! };
  const workloads = renderWorkloads(
    { kind: 'Gateway', metadata: { name: GATEWAY, namespace, uid: gateway.uid }, spec: gatewaySpec.parse(whole) },
    { image: 'portcullis:test', egress: { ports: [], metadata: false } },
  );
  for (const { type, object } of workloads.objects) await admin.apply(type, object, { fieldManager: OPERATOR_MANAGER });
  const publisher = createPublisher(admin, {
    writer: '0.0.0-test',
    identity: `test-${namespace}`,
    now: Date.now,
    randomBytes,
    log: pino({ level: 'silent' }),
  });
  const images = { '*': [process.execPath, PROGRAM] };
  const kubelet = await startMiniKubelet({ plane, namespaces: [namespace], images, volumeLag: 3_600_000 });
  return {
    gateway,
    serviceAccount: accountName(GATEWAY),
    publisher,
    kubelet,
    async publish(resources) {
      const placed = inNamespace(resources, namespace, whole);
      const { pepper, tombstones } = await publisher.load(gateway);
      const present = placed.objects
        .filter(({ kind }) => kind === 'VirtualKey')
        .map(({ metadata }) => `${namespace}/${metadata.name}`);
      return publisher.publish(gateway, compiled(placed, gateway, pepper, tombstones), new Set(present));
    },
    ready: () => kubelet.pods().filter((pod) => pod.ready),
    async leases() {
      const { items } = await admin.list<Lease>(RESOURCE.Lease, { namespace }, {});
      return new Map(items.map((lease) => [lease.spec?.holderIdentity ?? '', lease]));
    },
    close: () => kubelet.close(),
  };
}

function inNamespace(resources: Resources, namespace: string, gateway: object): Resources {
  return {
    objects: resources.objects.map((each) => ({
      ...each,
      metadata: { ...each.metadata, namespace },
      spec: each.kind === 'Gateway' ? { ...(each.spec as object), ...gateway } : each.spec,
    })),
    secrets: Object.fromEntries(
      Object.entries(resources.secrets).map(([name, values]) => [name.replace(/^default/, namespace), values]),
    ),
  };
}

function compiled(
  { objects, secrets }: { readonly objects: readonly RawObject[]; readonly secrets: Resources['secrets'] },
  { namespace, name }: GatewayIdentity,
  pepper: SecretText,
  tombstones: ReadonlySet<string>,
): CompiledGateway {
  const key = `${namespace}/${name}`;
  const { gateways, statuses } = compile({
    objects,
    secrets: new Map(
      Object.entries(secrets).map(([secret, values]) => [
        secret,
        new Map(Object.entries(values).map(([member, value]) => [member, new SecretText(value)])),
      ]),
    ),
    namespaces: new Map(),
    peppers: new Map([[key, pepper]]),
    tombstones: new Map([[key, tombstones]]),
  });
  const gateway = gateways.get(key);
  if (gateway === undefined) throw new Error(`no Gateway: ${JSON.stringify(statuses, null, 2)}`);
  return gateway;
}
