// The image as charts/image/build.sh makes it of the bundles in dist/: what is in it, that it is the same each time, and that its programs
// run from it alone.
import { chmodSync, existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { CHARTS, objectsOf, render } from './helm.ts';
import { Layout, run, sha256, type Descriptor, type ImageConfig, type Outcome } from './image-archive.ts';

const folder = mkdtempSync(join(tmpdir(), 'portcullis-image-test-'));
const root = join(folder, 'root');

const build = (archive: string): Promise<Outcome> => run(`${CHARTS}image/build.sh`, ['portcullis:test', archive]);

let layout: Layout;
let manifest: Descriptor;
let config: ImageConfig;

beforeAll(async () => {
  expect(await build(join(folder, 'one.tar'))).toMatchObject({ code: 0 });
  chmodSync(folder, 0o755);
  layout = await Layout.of(join(folder, 'one.tar'), join(folder, 'layout'));
  manifest = layout.entries[0]!;
  config = layout.config(manifest);
  expect(layout.manifest(manifest).layers.map(({ digest }) => digest)).toEqual(config.rootfs.diff_ids);
  await layout.unpack(manifest, root);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('[OPS-19] is the same, byte for byte, whenever it is built of the same', async () => {
  expect(await build(join(folder, 'two.tar'))).toMatchObject({ code: 0 });
  expect(sha256(join(folder, 'two.tar'))).toBe(sha256(join(folder, 'one.tar')));
});

test('every digest is that of its blob', () => {
  const { config: described, layers } = layout.manifest(manifest);
  for (const descriptor of [manifest, described, ...layers]) {
    expect(`sha256:${sha256(layout.blob(descriptor))}`).toBe(descriptor.digest);
    expect(readFileSync(layout.blob(descriptor)).byteLength).toBe(descriptor.size);
  }
  expect(manifest.annotations).toMatchObject({ 'io.containerd.image.name': 'portcullis:test' });
});

test('[SEC-22] runs as nobody in particular, and holds neither a shell nor a package manager', () => {
  expect(config.config).toMatchObject({ User: '65532:65532', WorkingDir: '/tmp' });
  for (const path of ['bin/sh', 'bin/bash', 'usr/bin/env', 'usr/local/bin/npm', 'usr/local/lib/node_modules'])
    expect(existsSync(join(root, path))).toBe(false);
});

describe.runIf(process.getuid?.() === 0)('[OPS-19] from its own files alone, as an unprivileged user', () => {
  const inside = (args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> =>
    run('chroot', ['--userspec=65532:65532', root, '/usr/local/bin/node', ...args], { ...env, HOME: '/tmp' });

  test('the data plane starts as its entrypoint says', async () => {
    const [node, ...flags] = config.config['Entrypoint'] as string[];
    expect(node).toBe('node');
    expect(await inside([...flags, 'version'])).toEqual({ code: 0, output: `${packageJson.version}\n` });
  });

  test('the data plane has all it reads to load and to serve', async () => {
    const [, ...flags] = config.config['Entrypoint'] as string[];
    const { code, output } = await inside([...flags, 'run', '--state', '/tmp/state', '/none.yaml']);
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining("stat '/none.yaml'") });
  });

  test('the operator starts as the chart says', async () => {
    const operator = objectsOf(await render('portcullis')).find(({ kind }) => kind === 'Deployment') as unknown as {
      spec: { template: { spec: { containers: [{ command: string[] }] } } };
    };
    const [node, ...flags] = operator.spec.template.spec.containers[0].command;
    expect(node).toBe('node');
    const { code, output } = await inside(flags);
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('PORTCULLIS_IMAGE') });
  });

  test('with the heap that a Gateway gives it', async () => {
    const script = 'console.log(Math.round(require("v8").getHeapStatistics().heap_size_limit / 2 ** 20))';
    const { output } = await inside(['-e', script], { NODE_OPTIONS: '--max-old-space-size=614' });
    expect(Number(output)).toBeGreaterThanOrEqual(614);
    expect(Number(output)).toBeLessThan(900);
  });

  test('may write to /tmp and to nothing else', async () => {
    const script = `for (const d of ['/tmp', '/', '/app', '/etc']) try { require('fs').writeFileSync(d + '/x', ''); console.log(d); } catch {}`;
    expect(await inside(['-e', script])).toEqual({ code: 0, output: '/tmp\n' });
  });
});

test('the Dockerfile makes the same of the same: files, user and entrypoint', () => {
  const text = readFileSync(`${CHARTS}image/Dockerfile`, 'utf8');
  expect(text).toContain(`\nENTRYPOINT ${JSON.stringify(config.config['Entrypoint']).replaceAll(',', ', ')}\n`);
  expect(text).toContain(`\nUSER ${String(config.config['User'])}\n`);
  expect(text).toContain(`\nWORKDIR ${String(config.config['WorkingDir'])}\n`);
  expect(text).toContain(`\nARG BASE=node:${packageJson.dependencies.node}-`);
  const copied = [...text.matchAll(/^COPY (.+) \/app\/(\S*)$/gm)].flatMap(([, from = '', to = '']) =>
    globSync(from.split(' '), { cwd: `${CHARTS}..` }).map((file) => `${to}${basename(file)}`),
  );
  const shipped = readdirSync(join(root, 'app'), { recursive: true, encoding: 'utf8' });
  expect(copied).toContain('portcullis-load.js');
  expect(shipped.filter((path) => path !== 'chunks').sort()).toEqual(copied.sort());
});
