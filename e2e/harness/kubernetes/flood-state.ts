// Whether a Gateway has settled: what its objects say of themselves, what is published, what pods have loaded and what runs must be one story.
import { readFile, readdir, readlink } from 'node:fs/promises';
import { readIndex } from '#shared/bundle/index-text.ts';
import { decodePart } from '#shared/bundle/parts.ts';
import {
  INDEX_KEY,
  indexName,
  PART_KEY,
  partName,
  type BundleIndex,
  type PartEntry,
} from '#shared/bundle/publication.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import { GATEWAY_LABEL, LOAD_FAULT_ANNOTATION, LOADED_SEQUENCE_ANNOTATION } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import type { ConfigMap, Deployment, Lease, Secret } from '#shared/kube/types.ts';
import type { ControlPlane } from './control-plane.ts';
import type { RunningPod } from './mini-kubelet.ts';

interface Reported extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly revision?: string;
    readonly replicas?: { readonly ready?: number; readonly current?: number };
  };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly observedGeneration?: number;
  readonly reason?: string;
  readonly message?: string;
}

const KINDS = ['Gateway', 'Upstream', 'Policy', 'VirtualKey'] as const;
const MUST_BE_TRUE: ReadonlySet<string> = new Set(['Accepted', 'ResolvedRefs', 'Programmed']);

/**
 * What is not as it should be, in words; nothing when all has settled.
 * @param pods those of the Gateway that are ready
 * @param figures whether the Gateway's figures must be right as well, which follow within 5 s
 */
export async function unsettled(
  { admin }: ControlPlane,
  namespace: string,
  gateway: string,
  pods: readonly RunningPod[],
  figures: boolean,
): Promise<string[]> {
  const lists = await Promise.all(
    KINDS.map(async (kind) => (await admin.list<Reported>(RESOURCE[kind], { namespace }, {})).items),
  );
  const objects = lists.flat();
  const index = await admin.get<ConfigMap>(RESOURCE.ConfigMap, { namespace, name: indexName(gateway) });
  const published = readIndex(index.data?.[INDEX_KEY] ?? '');
  const { spec } = await admin.get<Deployment>(RESOURCE.Deployment, { namespace, name: gateway });
  const replicas = spec?.replicas ?? 0;
  const status = lists[0]?.find(({ metadata }) => metadata.name === gateway)?.status;
  const query = { namespace, labelSelector: `${GATEWAY_LABEL}=${gateway}` };
  const { items: leases } = await admin.list<Lease>(RESOURCE.Lease, query, {});
  return [
    ...objects.flatMap(faultsOf),
    ...(await partFaults(admin, namespace, gateway, published)),
    ...leaseFaults(leases, pods, published.sequence),
    ...unequal('ready pods', pods.length, replicas),
    ...(figures
      ? [
          ...unequal('revision in the status', status?.revision, published.revision),
          ...unequal('ready replicas in the status', status?.replicas?.ready, replicas),
          ...unequal('replicas in the status', status?.replicas?.current, replicas),
        ]
      : []),
  ];
}

function unequal(what: string, is: unknown, shouldBe: unknown): string[] {
  return is === shouldBe ? [] : [`${what}: ${String(is)}, not ${String(shouldBe)}`];
}

async function partFaults(
  admin: KubeClient,
  namespace: string,
  gateway: string,
  { parts, revoked }: BundleIndex,
): Promise<string[]> {
  const found = unequal('hashes still named in the index', revoked.length, 0);
  for (const [part, entry] of Object.entries(parts)) {
    const name = partName(gateway, part, entry.slot);
    await readPart(admin, namespace, name, part, entry).catch((error: Error) => found.push(error.message));
  }
  return found;
}

function leaseFaults(leases: readonly Lease[], pods: readonly RunningPod[], sequence: number): string[] {
  const said = new Map(leases.map(({ spec, metadata }) => [spec?.holderIdentity, metadata.annotations]));
  return [
    ...unequal('Leases', leases.length, pods.length),
    ...pods.flatMap(({ name }) => [
      ...unequal(`sequence loaded by ${name}`, said.get(name)?.[LOADED_SEQUENCE_ANNOTATION], String(sequence)),
      ...unequal(`fault of ${name}`, said.get(name)?.[LOAD_FAULT_ANNOTATION], undefined),
    ]),
  ];
}

function faultsOf({ metadata, status }: Reported): string[] {
  const conditions = status?.conditions ?? [];
  const missing = [...MUST_BE_TRUE].filter((type) => !conditions.some((each) => each.type === type));
  const bad = conditions.filter(
    ({ type, status: is, observedGeneration }) =>
      observedGeneration !== metadata.generation || (MUST_BE_TRUE.has(type) && is !== 'True'),
  );
  return [
    ...missing.map((type) => `${metadata.name}: no ${type}`),
    ...bad.map(
      ({ type, status: is, observedGeneration, message }) =>
        `${metadata.name} generation ${metadata.generation}: ${type} ${is} at ${observedGeneration}: ${message}`,
    ),
  ];
}

async function readPart(
  admin: KubeClient,
  namespace: string,
  name: string,
  part: string,
  entry: PartEntry,
): Promise<void> {
  const type: ResourceType = part === 'bundle' ? RESOURCE.ConfigMap : RESOURCE.Secret;
  const object = await admin.get<ConfigMap & Secret>(type, { namespace, name });
  const text = object.binaryData?.[PART_KEY] ?? object.data?.[PART_KEY] ?? '';
  await decodePart(part, Buffer.from(text, 'base64'), entry);
}

/** End of the name of a part. */
const SLOT = /-[ab]$/;
const LISTED = [
  'ConfigMap',
  'Secret',
  'Service',
  'ServiceAccount',
  'Deployment',
  'Role',
  'RoleBinding',
  'PodDisruptionBudget',
  'HorizontalPodAutoscaler',
  'NetworkPolicy',
] as const;

/** `Kind namespace/name` of everything with our labels but pods and their Leases, which have names of their own; two slots count as one. */
export async function ourObjects({ admin }: ControlPlane): Promise<string[]> {
  const lists = await Promise.all(
    LISTED.map(async (kind) => {
      const query = { labelSelector: 'app.kubernetes.io/managed-by=portcullis', metadataOnly: true };
      const { items } = await admin.list<KubeObject>(RESOURCE[kind], query, {});
      return items.map(({ metadata }) => `${kind} ${metadata.namespace}/${metadata.name.replace(SLOT, '')}`);
    }),
  );
  return [...new Set(lists.flat())].sort();
}

/** Connections a process holds to an API server. @param url of the server, an IPv4 address and a port */
export async function connectionsTo(pid: number, url: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const bytes = hostname.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  const remote = `${bytes.toReversed().join('')}:${Number(port).toString(16).padStart(4, '0')}`.toUpperCase();
  // proc_net_tcp(5): the third column is the remote address, the fourth the state (01 is established), the tenth the inode.
  const rows = (await readFile(`/proc/${pid}/net/tcp`, 'utf8')).split('\n').map((row) => row.trim().split(/\s+/));
  const inodes = new Set(rows.filter((row) => row[2] === remote && row[3] === '01').map((row) => row[9]));
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return targets.filter((target) => inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1])).length;
}
