// Everything that is there by name: what we made, and what people made. Equal at every quiet moment, or something was left behind.
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { Scene } from '../../harness/kubernetes/flood-scene.ts';
import { ourObjects } from '../../harness/kubernetes/flood-state.ts';

/** All of them; {@link ourObjects} leaves them out. */
const RUNNING = ['Pod', 'Lease'] as const;
/** Those that are not ours. */
const THEIRS = ['Gateway', 'Upstream', 'Policy', 'VirtualKey', 'Secret', 'ConfigMap'] as const;

/** `Kind namespace/name` of objects with our labels anywhere, and of what else is in the Gateway's namespace; no Events. */
export async function inventory({ plane, namespace }: Scene): Promise<ReadonlySet<string>> {
  const names = async (kind: keyof typeof RESOURCE, labelSelector?: string): Promise<string[]> => {
    const query = { namespace, metadataOnly: true, ...(labelSelector === undefined ? {} : { labelSelector }) };
    const { items } = await plane.admin.list<KubeObject>(RESOURCE[kind], query, {});
    return items.map(({ metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
  };
  const lists = await Promise.all([
    ourObjects(plane),
    ...RUNNING.map((kind) => names(kind)),
    ...THEIRS.map((kind) => names(kind, 'app.kubernetes.io/managed-by!=portcullis')),
  ]);
  return new Set(lists.flat());
}

/** What is there and should not be, or the other way round, in words; undefined when both are the same. */
export function difference(before: ReadonlySet<string>, now: ReadonlySet<string>): string | undefined {
  const left = [...now].filter((name) => !before.has(name));
  const gone = [...before].filter((name) => !now.has(name));
  if (left.length + gone.length === 0) return undefined;
  const list = (names: readonly string[]): string => names.slice(0, 5).join(', ');
  return `${left.length} objects are left over: ${list(left)}; ${gone.length} are gone: ${list(gone)}`;
}
