// Container images for tests without a container engine: folders become layers of an OCI archive that containerd takes in. The image that
// is shipped is made in charts/image; these hold what stands around it.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

export interface Image {
  /** With registry and tag, such as `localhost/demo:1`. */
  readonly name: string;
  readonly entrypoint: readonly string[];
  /** Folders that are laid over each other as `/`. */
  readonly layers: readonly string[];
  readonly workingFolder?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const run = promisify(execFile);
const TYPE = 'application/vnd.oci.image';
/** As the shipped image. */
const USER = 65_532;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Writes the image as one archive file. Layers stay uncompressed: import is faster so. */
export async function writeImage(image: Image, archive: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'portcullis-image-'));
  try {
    const blobs = join(work, 'layout', 'blobs', 'sha256');
    await mkdir(blobs, { recursive: true });
    const add = async (file: string, mediaType: string): Promise<Descriptor> => {
      const hash = createHash('sha256');
      await pipeline(createReadStream(file), hash);
      const digest = hash.digest('hex');
      const { size } = await stat(file);
      await rename(file, join(blobs, digest));
      return { mediaType, digest: `sha256:${digest}`, size };
    };
    const addJson = async (value: object, mediaType: string): Promise<Descriptor> => {
      const file = join(work, 'json');
      await writeFile(file, JSON.stringify(value));
      return add(file, mediaType);
    };
    const layers: Descriptor[] = [];
    for (const folder of image.layers) {
      const file = join(work, 'layer.tar');
      await run('tar', ['-C', folder, ...REPRODUCIBLE, '-cf', file, '.']);
      layers.push(await add(file, `${TYPE}.layer.v1.tar`));
    }
    const config = await addJson(configuration(image, layers), `${TYPE}.config.v1+json`);
    const type = `${TYPE}.manifest.v1+json`;
    const manifest = await addJson({ schemaVersion: 2, mediaType: type, config, layers }, type);
    const annotations = { 'io.containerd.image.name': image.name };
    const index = { schemaVersion: 2, mediaType: `${TYPE}.index.v1+json`, manifests: [{ ...manifest, annotations }] };
    await writeFile(join(work, 'layout', 'index.json'), JSON.stringify(index));
    await writeFile(join(work, 'layout', 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await run('tar', ['-C', join(work, 'layout'), ...REPRODUCIBLE, '-cf', archive, '.']);
  } finally {
    await rm(work, { recursive: true });
  }
}

const REPRODUCIBLE = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];

function configuration({ entrypoint, workingFolder = '/', environment }: Image, layers: readonly Descriptor[]): object {
  const variables = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', ...environment };
  return {
    architecture: ARCHITECTURES[process.arch],
    os: 'linux',
    config: {
      User: `${USER}:${USER}`,
      WorkingDir: workingFolder,
      Env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      Entrypoint: entrypoint,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  };
}

/** Fills a folder with what a program needs around it: users, certificate authorities, a place for temporary files. */
export async function writeSkeleton(root: string): Promise<void> {
  for (const folder of ['etc/ssl/certs', 'tmp', 'proc', 'sys', 'dev'])
    await mkdir(join(root, folder), { recursive: true });
  await chmod(join(root, 'tmp'), 0o1777);
  await writeFile(join(root, 'etc/passwd'), `root:x:0:0::/:/bin/false\napp:x:${USER}:${USER}::/tmp:/bin/false\n`);
  await writeFile(join(root, 'etc/group'), `root:x:0:\napp:x:${USER}:\n`);
  await writeFile(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  const authorities = 'etc/ssl/certs/ca-certificates.crt';
  await copyFile(join('/', authorities), join(root, authorities)).catch(() => undefined);
}

/** Adds programs of this machine and the libraries they load. @param programs paths here by path in the image */
export async function addPrograms(root: string, programs: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, source] of Object.entries(programs)) {
    await add(root, path, source);
    const { stdout } = await run('ldd', [source]).catch(() => ({ stdout: '' })); // fails for a static program
    for (const [library] of stdout.matchAll(/\/\S+\.so\S*/g)) await add(root, library, library);
  }
}

async function add(root: string, path: string, source: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await copyFile(source, join(root, path));
  await chmod(join(root, path), 0o755);
}

/** An image of the Node that runs this and an application. @param files text by path, such as `/app/index.js`, the first of which is run */
export async function writeNodeImage(
  name: string,
  files: Readonly<Record<string, string>>,
  archive: string,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'portcullis-root-'));
  try {
    await chmod(root, 0o755);
    await writeSkeleton(root);
    await addPrograms(root, { '/usr/local/bin/node': process.execPath });
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    await writeImage({ name, entrypoint: ['node', Object.keys(files)[0]!], layers: [root] }, archive);
  } finally {
    await rm(root, { recursive: true });
  }
}

/** An image of one static program. */
export async function writeProgramImage(name: string, program: string, archive: string): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'portcullis-root-'));
  try {
    await chmod(root, 0o755);
    await writeSkeleton(root);
    await addPrograms(root, { '/program': program });
    await writeImage({ name, entrypoint: ['/program'], layers: [root] }, archive);
  } finally {
    await rm(root, { recursive: true });
  }
}
