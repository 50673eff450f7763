// Whether a Gateway has settled: what its objects say of themselves, what is published, what pods have loaded and what runs must be one story.
import { readFile, readdir, readlink } from 'node:fs/promises';
import { readIndex } from '#shared/bundle/index-text.ts';
import { decodePart } from '#shared/bundle/parts.ts';
import { INDEX_KEY, indexName, PART_KEY, partName } from '#shared/bundle/publication.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import { GATEWAY_LABEL, LOAD_FAULT_ANNOTATION, LOADED_SEQUENCE_ANNOTATION } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import type { ConfigMap, Deployment, Lease, Secret } from '#shared/kube/types.ts';
import type { ControlPlane } from './control-plane.ts';
import type { RunningPod } from './mini-kubelet.ts';

interface Reported extends KubeObject {
  readonly spec?: { readonly deployment?: { readonly replicas?: number } };
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
 */
export async function unsettled(
  { admin }: ControlPlane,
  namespace: string,
  gateway: string,
  pods: readonly RunningPod[],
): Promise<string[]> {
  const all = await Promise.all(
    KINDS.map(async (kind) => (await admin.list<Reported>(RESOURCE[kind], { namespace }, {})).items),
  );
  const objects = all.flat();
  const found = objects.flatMap(faultsOf);
  const index = await admin.get<ConfigMap>(RESOURCE.ConfigMap, { namespace, name: indexName(gateway) });
  const { parts, sequence, revision, revoked } = readIndex(index.data?.[INDEX_KEY] ?? '');
  if (revoked.length > 0) found.push(`${revoked.length} hashes are still named in the index`);
  for (const [part, entry] of Object.entries(parts)) {
    const name = partName(gateway, part, entry.slot);
    await readPart(admin, namespace, name, part, entry).catch((error: Error) => found.push(error.message));
  }
  const desired = await admin.get<Deployment>(RESOURCE.Deployment, { namespace, name: gateway });
  const replicas = desired.spec?.replicas ?? 0;
  if (pods.length !== replicas) found.push(`${pods.length} of ${replicas} pods are ready`);
  const { items } = await admin.list<Lease>(
    RESOURCE.Lease,
    { namespace, labelSelector: `${GATEWAY_LABEL}=${gateway}` },
    {},
  );
  const leases = new Map(items.map((lease) => [lease.spec?.holderIdentity, lease.metadata.annotations]));
  for (const { name } of pods) {
    const said = leases.get(name);
    if (said?.[LOADED_SEQUENCE_ANNOTATION] !== String(sequence)) found.push(`${name} has not loaded ${sequence}`);
    if (said?.[LOAD_FAULT_ANNOTATION] !== undefined) found.push(`${name}: ${said[LOAD_FAULT_ANNOTATION]}`);
  }
  if (leases.size !== pods.length) found.push(`${leases.size} Leases of ${pods.length} pods`);
  const status = objects.find(({ metadata }) => metadata.name === gateway)?.status;
  if (status?.revision !== revision) found.push(`the status names revision ${status?.revision}, not ${revision}`);
  const told = `${status?.replicas?.ready} of ${status?.replicas?.current}`;
  if (told !== `${replicas} of ${replicas}`) found.push(`the status counts ${told} replicas`);
  return found;
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
  entry: Parameters<typeof decodePart>[2],
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
  const remote = `${bytes.reverse().join('')}:${Number(port).toString(16).padStart(4, '0')}`.toUpperCase();
  // proc_net_tcp(5): the third column is the remote address, the fourth the state (01 is established), the tenth the inode.
  const rows = (await readFile(`/proc/${pid}/net/tcp`, 'utf8')).split('\n').map((row) => row.trim().split(/\s+/));
  const inodes = new Set(rows.filter((row) => row[2] === remote && row[3] === '01').map((row) => row[9]));
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return targets.filter((target) => inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1])).length;
}
