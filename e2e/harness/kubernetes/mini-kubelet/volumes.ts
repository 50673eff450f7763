// The volumes of a pod as folders, laid out and replaced as kubelet does: files are links through `..data`, which is swapped as a whole.
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Pod } from '#shared/kube/types.ts';
import { podField } from './environment.ts';
import type { VolumeSources } from './volume-sources.ts';

type PodSpec = NonNullable<Pod['spec']>;
type Volume = NonNullable<PodSpec['volumes']>[number];
type Projection = NonNullable<NonNullable<NonNullable<Volume['projected']>['sources']>[number]>;
type Files = ReadonlyMap<string, Buffer>;
interface Reference {
  readonly name: string;
  readonly optional?: boolean;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
}

export interface PodVolumes {
  /** Folder that stands for a path of the container, or for a folder above it that is a mount. */
  path(mountPath: string): string | undefined;
  /** Makes the folders hold what the sources hold. @throws {Error} when an object is missing that is not optional */
  sync(pod: Pod): Promise<void>;
}

/** @param root folder that stands for `/` of the container */
export function podVolumes({ spec }: Pod, root: string, sources: VolumeSources): PodVolumes {
  const volumes = spec?.volumes ?? [];
  const mounts = (spec?.containers ?? []).flatMap(({ volumeMounts = [] }) => volumeMounts);
  const held = new Map<string, Files>();

  async function place(): Promise<void> {
    for (const { name, mountPath, subPath } of mounts) {
      if (subPath !== undefined) throw new Error(`volume mount ${mountPath}: subPath is not supported here`);
      const at = join(root, mountPath);
      await mkdir(join(root, '.volumes', name), { recursive: true });
      await mkdir(dirname(at), { recursive: true });
      if (!existsSync(at)) await symlink(join(root, '.volumes', name), at);
    }
  }

  return {
    path: (mountPath) => (mounts.some((mount) => mount.mountPath === mountPath) ? join(root, mountPath) : undefined),
    async sync(pod) {
      for (const volume of volumes) {
        if (volume.emptyDir !== undefined) continue;
        const files = await filesOf(volume, pod, sources);
        const before = held.get(volume.name);
        if (before === undefined || !same(before, files)) {
          await swap(join(root, '.volumes', volume.name), files);
          held.set(volume.name, files);
        }
      }
      await place();
    },
  };
}

async function filesOf(volume: Volume, pod: Pod, sources: VolumeSources): Promise<Files> {
  const { projected, secret, configMap, downwardAPI } = volume;
  if (projected !== undefined) {
    const parts = await Promise.all((projected.sources ?? []).map((each) => projection(each, pod, sources)));
    return new Map(parts.flatMap((files) => [...files]));
  }
  if (secret !== undefined) {
    return projection({ secret: { ...secret, name: secret.secretName } }, pod, sources);
  }
  if (configMap !== undefined || downwardAPI !== undefined) return projection({ configMap, downwardAPI }, pod, sources);
  throw new Error(`volume ${volume.name}: its kind is not supported here`);
}

async function projection(source: Projection, pod: Pod, sources: VolumeSources): Promise<Files> {
  const { namespace } = pod.metadata;
  const { secret, configMap, downwardAPI, serviceAccountToken } = source;
  if (secret !== undefined) {
    return selected('Secret', secret as Reference, await sources.contents('Secret', namespace, secret.name ?? ''));
  }
  if (configMap !== undefined) {
    return selected(
      'ConfigMap',
      configMap as Reference,
      await sources.contents('ConfigMap', namespace, configMap.name ?? ''),
    );
  }
  if (serviceAccountToken !== undefined) {
    const { path, audience, expirationSeconds } = serviceAccountToken;
    return new Map([[path, await sources.token(pod, audience, expirationSeconds)]]);
  }
  if (downwardAPI !== undefined) {
    const items = downwardAPI.items ?? [];
    return new Map(
      items.map(({ path, fieldRef }) => [path, Buffer.from(podField(pod, fieldRef?.fieldPath ?? '', '') ?? '')]),
    );
  }
  throw new Error('a projected source of this kind is not supported here');
}

function selected(kind: string, { name, optional, items }: Reference, contents: Files | undefined): Files {
  if (contents === undefined) {
    if (optional === true) return new Map();
    throw new Error(`${kind} ${name} not found`);
  }
  if (items === undefined) return contents;
  const found = items.flatMap(({ key, path }) => {
    const value = contents.get(key);
    if (value === undefined && optional !== true) throw new Error(`${kind} ${name} has no key ${key}`);
    return value === undefined ? [] : [[path, value] as const];
  });
  return new Map(found);
}

function same(a: Files, b: Files): boolean {
  return a.size === b.size && [...a].every(([path, value]) => b.get(path)?.equals(value) === true);
}

let swaps = 0;

/** All files change in one step, and links that lead nowhere go. */
async function swap(folder: string, files: Files): Promise<void> {
  const name = `..${process.pid}_${++swaps}`;
  await mkdir(join(folder, name), { recursive: true });
  for (const [path, value] of files) {
    await mkdir(dirname(join(folder, name, path)), { recursive: true });
    await writeFile(join(folder, name, path), value);
  }
  const data = join(folder, '..data');
  const before = await readlink(data).catch(() => undefined);
  await symlink(name, `${data}_tmp`);
  await rename(`${data}_tmp`, data);
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0]!));
  const there = readdirSync(folder).filter((entry) => !entry.startsWith('..'));
  for (const entry of wanted) {
    if (!there.includes(entry)) await symlink(join('..data', entry), join(folder, entry));
  }
  for (const entry of there) if (!wanted.has(entry)) await rm(join(folder, entry));
  if (before !== undefined) await rm(join(folder, before), { recursive: true });
}
