// One image for both processors, made on a machine that has one of them and no container engine. What is for the other processor is looked
// at byte by byte and run under an emulator.
import { chmodSync, copyFileSync, mkdtempSync, openSync, readdirSync, readSync, closeSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { emulatorOf } from './emulator.ts';
import { CHARTS } from './helm.ts';
import { Layout, run, sha256, type Descriptor, type Outcome } from './image-archive.ts';

/** e_machine of ELF. */
const MACHINES: Readonly<Record<string, number>> = { amd64: 62, arm64: 183 };
const [own, other, otherMachine] =
  process.arch === 'x64' ? (['amd64', 'arm64', 'aarch64'] as const) : (['arm64', 'amd64', 'x86_64'] as const);

const folder = mkdtempSync(join(tmpdir(), 'portcullis-processors-test-'));
const emulator = await emulatorOf(otherMachine);
const { HOME, XDG_CACHE_HOME } = process.env;

const build = (...args: string[]): Promise<Outcome> =>
  run(`${CHARTS}image/build.sh`, args, { HOME, ...(XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME }) });

let layout: Layout;
let images: readonly Descriptor[];

const imageFor = (architecture: string): Descriptor =>
  images.find(({ platform }) => platform?.architecture === architecture)!;
const rootFor = (architecture: string): string => join(folder, architecture);

/** ELF files under a folder, by path, with the processor they are for. */
function machinesIn(root: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { name, parentPath } of readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )) {
    const path = join(parentPath, name);
    const head = Buffer.alloc(20);
    const file = openSync(path, 'r');
    const length = readSync(file, head, 0, 20, 0);
    closeSync(file);
    if (length === 20 && head.readUInt32BE(0) === 0x7f_45_4c_46)
      found.set(path.slice(root.length), head.readUInt16LE(18));
  }
  return found;
}

beforeAll(async () => {
  expect(await build('--all', 'portcullis:test', join(folder, 'all.tar'))).toMatchObject({ code: 0 });
  chmodSync(folder, 0o755);
  layout = await Layout.of(join(folder, 'all.tar'), join(folder, 'layout'));
  images = layout.images(layout.entries[0]!);
  for (const architecture of [own, other]) await layout.unpack(imageFor(architecture), rootFor(architecture));
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('[OPS-19] one name leads to an image for each processor', () => {
  expect(layout.entries).toHaveLength(1);
  expect(layout.entries[0]).toMatchObject({
    mediaType: 'application/vnd.oci.image.index.v1+json',
    annotations: { 'io.containerd.image.name': 'portcullis:test' },
  });
  expect(images.map(({ platform }) => platform)).toEqual([
    { architecture: 'amd64', os: 'linux' },
    { architecture: 'arm64', os: 'linux' },
  ]);
  for (const image of [layout.entries[0]!, ...images]) {
    expect(`sha256:${sha256(layout.blob(image))}`).toBe(image.digest);
  }
});

test.each(['amd64', 'arm64'])('[OPS-19] of the image for %s every program and library is for it', (architecture) => {
  expect(layout.config(imageFor(architecture))).toMatchObject({ architecture, os: 'linux' });
  const machines = machinesIn(rootFor(architecture));
  expect([...machines.keys()]).toContain('/usr/local/bin/node');
  expect([...machines.keys()].some((path) => path.endsWith('/libc.so.6'))).toBe(true);
  expect([...machines].filter(([, machine]) => machine !== MACHINES[architecture])).toEqual([]);
});

test('[OPS-19] both hold the same bundles and are configured the same', () => {
  const [one, two] = [own, other].map((architecture) => imageFor(architecture));
  expect(layout.manifest(one!).layers[1]).toEqual(layout.manifest(two!).layers[1]);
  expect(layout.config(one!).config).toEqual(layout.config(two!).config);
  expect(layout.manifest(one!).layers[0]).not.toEqual(layout.manifest(two!).layers[0]);
});

test('[OPS-19] each is the same, byte for byte, when it is built alone', async () => {
  for (const architecture of [own, other]) {
    const archive = join(folder, `${architecture}.tar`);
    expect(await build('--arch', architecture, 'portcullis:test', archive)).toMatchObject({ code: 0 });
    const alone = await Layout.of(archive, join(folder, `layout-${architecture}`));
    expect(alone.entries[0]!.digest).toBe(imageFor(architecture).digest);
  }
});

test('a processor that there is no Node for is refused, and leaves no archive', async () => {
  const archive = join(folder, 's390x.tar');
  const { code, output } = await build('--arch', 's390x', 'portcullis:test', archive);
  expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('amd64 and arm64') });
  expect(readdirSync(folder)).not.toContain('s390x.tar');
});

// Without root or an emulator this proves nothing, and says so: emulatorOf prints why there is none.
describe.runIf(process.getuid?.() === 0 && emulator !== undefined)(
  `[OPS-19] on ${other}, from its own files alone, as an unprivileged user`,
  () => {
    const inside = async (...args: string[]): Promise<Outcome> =>
      run('chroot', ['--userspec=65532:65532', rootFor(other), '/emulator', '/usr/local/bin/node', ...args], {
        HOME: '/tmp',
      });

    beforeAll(() => {
      copyFileSync(emulator!, join(rootFor(other), 'emulator'));
      chmodSync(join(rootFor(other), 'emulator'), 0o755);
    });

    test('the data plane starts as its entrypoint says', async () => {
      const [, ...flags] = layout.config(imageFor(other)).config['Entrypoint'] as string[];
      expect(await inside(...flags, 'version')).toEqual({ code: 0, output: `${packageJson.version}\n` });
    });

    test('the operator starts and says what it misses', async () => {
      const { code, output } = await inside('/app/portcullis-operator.js');
      expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('PORTCULLIS_IMAGE') });
    });

    test('it is that processor which answers, and TLS and compression of this Node work on it', async () => {
      const script = `
        const { createHash } = require('crypto');
        const { zstdCompressSync, zstdDecompressSync } = require('zlib');
        const text = zstdDecompressSync(zstdCompressSync(Buffer.from('portcullis'))).toString();
        console.log(process.arch, process.version, createHash('sha256').update(text).digest('hex').slice(0, 8), require('tls').rootCertificates.length > 50);`;
      const { output } = await inside('-e', script);
      expect(output).toBe(
        `${other === 'arm64' ? 'arm64' : 'x64'} v${packageJson.dependencies.node} ${DIGEST_OF_NAME} true\n`,
      );
    });
  },
);

/** First digits of the SHA-256 of `portcullis`. */
const DIGEST_OF_NAME = '74e19dcd';
