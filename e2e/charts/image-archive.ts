// Looks into an OCI archive without a container engine.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly architecture: string; readonly os: string };
}

export interface ImageManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

export interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** Runs a program to its end, in an environment of nothing but PATH and what is given; never rejects. */
export function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(command, args, { env: { PATH: process.env['PATH'], ...env } }, (error, stdout, stderr) => {
      resolve({
        code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
        output: stdout + stderr,
      });
    });
  });
}

export const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** The layout in an archive, unpacked. */
export class Layout {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @param folder is made */
  static async of(archive: string, folder: string): Promise<Layout> {
    mkdirSync(folder, { recursive: true });
    await run('tar', ['-C', folder, '-xf', archive]);
    return new Layout(folder);
  }

  /** What the archive offers. */
  get entries(): readonly Descriptor[] {
    return (JSON.parse(readFileSync(join(this.folder, 'index.json'), 'utf8')) as { manifests: Descriptor[] }).manifests;
  }

  /** Path of a blob. */
  blob({ digest }: Descriptor): string {
    return join(this.folder, 'blobs/sha256', digest.replace('sha256:', ''));
  }

  images(index: Descriptor): readonly Descriptor[] {
    return (this.#read(index) as { manifests: Descriptor[] }).manifests;
  }

  manifest(image: Descriptor): ImageManifest {
    return this.#read(image) as ImageManifest;
  }

  config(image: Descriptor): ImageConfig {
    return this.#read(this.manifest(image).config) as ImageConfig;
  }

  /** Lays the layers of an image over each other. @param folder is made */
  async unpack(image: Descriptor, folder: string): Promise<void> {
    mkdirSync(folder, { recursive: true });
    for (const layer of this.manifest(image).layers) await run('tar', ['-C', folder, '-xpf', this.blob(layer)]);
  }

  #read(descriptor: Descriptor): unknown {
    return JSON.parse(readFileSync(this.blob(descriptor), 'utf8'));
  }
}
