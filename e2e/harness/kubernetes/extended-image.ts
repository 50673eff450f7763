// An image made of another one, as a platform team does that adds its certificate authority to what it ships.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Extension {
  /** With registry and tag. */
  readonly name: string;
  /** A folder that is laid over `/`. */
  readonly layer: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}
interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}
interface Configuration {
  readonly config: { readonly Env: readonly string[] };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

const run = promisify(execFile);

/** @param archive an OCI archive with one image; it stays as it is @param extended path of the new archive */
export async function extendImage(archive: string, extension: Extension, extended: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'portcullis-extend-'));
  const layout = join(work, 'layout');
  const blob = (digest: string): string => join(layout, 'blobs/sha256', digest.replace('sha256:', ''));
  const json = async <T>(path: string): Promise<T> => JSON.parse(await readFile(path, 'utf8')) as T;
  const add = async <T extends Descriptor>(content: Buffer, like: T): Promise<T> => {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    await writeFile(blob(digest), content);
    return { ...like, digest, size: content.byteLength };
  };
  try {
    await run('mkdir', [layout]);
    await run('tar', ['-C', layout, '-xf', archive]);
    const index = await json<{ manifests: [Descriptor] }>(join(layout, 'index.json'));
    const manifest = await json<Manifest>(blob(index.manifests[0].digest));
    const configuration = await json<Configuration>(blob(manifest.config.digest));

    const tar = join(work, 'layer.tar');
    await run('tar', ['-C', extension.layer, '--owner=0', '--group=0', '--numeric-owner', '-cf', tar, '.']);
    const layer = await add(await readFile(tar), manifest.layers[0]!);
    const environment = Object.entries(extension.environment).map(([name, value]) => `${name}=${value}`);
    const config = await add(
      text({
        ...configuration,
        config: { ...configuration.config, Env: [...configuration.config.Env, ...environment] },
        rootfs: { ...configuration.rootfs, diff_ids: [...configuration.rootfs.diff_ids, layer.digest] },
      }),
      manifest.config,
    );
    const written = await add(text({ ...manifest, config, layers: [...manifest.layers, layer] }), index.manifests[0]);
    const named = { ...written, annotations: { 'io.containerd.image.name': extension.name } };
    await writeFile(join(layout, 'index.json'), text({ ...index, manifests: [named] }));
    await run('tar', ['-C', layout, '-cf', join(work, 'archive.tar'), '.']);
    await rename(join(work, 'archive.tar'), extended);
  } finally {
    await rm(work, { recursive: true });
  }
}

const text = (value: object): Buffer => Buffer.from(JSON.stringify(value));
