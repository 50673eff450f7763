// Releases as a platform team would get them: bundles, image and charts of one version, built apart from the checkout, so that two versions
// can be had at once and nobody's dist/ changes under a test.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import packageJson from '../../../package.json' with { type: 'json' };
import { extendImage } from './extended-image.ts';

export interface Release {
  readonly version: string;
  /** Without tag; the tag is the version. */
  readonly repository: string;
  /** Archive of the image. */
  readonly image: string;
  /** Folder of both charts. */
  readonly charts: string;
}

export interface ReleaseOptions {
  /** An empty folder. */
  readonly folder: string;
  /** The version of the checkout when left out. */
  readonly version?: string;
  readonly repository: string;
  /** A certificate authority, in PEM, that the programs in the image trust besides the public ones. */
  readonly authority: string;
}

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SOURCES = ['package.json', 'shared', 'operator', 'dataplane', 'charts'];
const AUTHORITY = '/etc/ssl/corp.pem';

/** The version after the one of the checkout. */
export const NEXT_VERSION = packageJson.version.replace(/\.(\d+)\./, (_, minor: string) => `.${Number(minor) + 1}.`);

/** @throws {Error} with what the build says */
export async function buildRelease(options: ReleaseOptions): Promise<Release> {
  const { folder, version = packageJson.version, repository, authority } = options;
  const source = join(folder, 'source');
  for (const path of SOURCES) await cp(join(ROOT, path), join(source, path), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(source, 'node_modules'));
  for (const file of ['package.json', 'charts/portcullis/Chart.yaml', 'charts/portcullis-crds/Chart.yaml']) {
    const text = await readFile(join(source, file), 'utf8');
    await writeFile(join(source, file), text.replace(/^( *"?(?:version|appVersion)"?: "?)[^",\n]+/gm, `$1${version}`));
  }
  await run('npm', ['run', '--silent', 'build'], { cwd: source });
  const shipped = join(folder, 'shipped.tar');
  const name = `${repository}:${version}`;
  await run(join(source, 'charts/image/build.sh'), [name, shipped]);

  const layer = join(folder, 'layer');
  await mkdir(join(layer, 'etc/ssl'), { recursive: true });
  await writeFile(join(layer, AUTHORITY), authority);
  const image = join(folder, 'image.tar');
  await extendImage(shipped, { name, layer, environment: { NODE_EXTRA_CA_CERTS: AUTHORITY } }, image);
  return { version, repository, image, charts: join(source, 'charts') };
}
