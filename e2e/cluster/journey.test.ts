// The life of an installation in a cluster with real pods, from `helm install` to `helm uninstall`: each test goes on where the one before ended.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installClaudeCode } from '../harness/claude-cli.ts';
import { claudePod, writeClaudeImage } from '../harness/kubernetes/claude-image.ts';
import { NEXT_VERSION, type Release } from '../harness/kubernetes/release.ts';
import { sharedCluster } from '../harness/kubernetes/shared-cluster.ts';
import {
  HOME,
  KEY_SECRET,
  manifests,
  openEdge,
  openJourney,
  PLATFORM,
  SECRET_WORD,
  STREAM,
  TEAM,
  type JourneyScene,
} from './journey-scene.ts';

const cluster = await sharedCluster();
const MODEL = 'claude-opus-5-5';
const READY = ['wait', '--for=condition=Ready', '--timeout=60s'];

let scene: JourneyScene;
let release: Release;

beforeAll(async () => {
  scene = await openJourney();
  release = await scene.release();
});
afterAll(() => scene?.close());

const inPlatform = (...args: string[]): Promise<string> => scene.kubectl('-n', PLATFORM, ...args);
const inTeam = (...args: string[]): Promise<string> => scene.kubectl('-n', TEAM, ...args);
const inHome = (...args: string[]): Promise<string> => scene.kubectl('-n', HOME, ...args);
const edit = (kind: string, name: string, spec: object): Promise<string> =>
  inPlatform('patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec }));
const said = (text: string): unknown => process.stdout.write(`journey: ${text}\n`);
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

test('[OPS-01] [SEC-22] from charts and samples to ready, in namespaces that admit nothing but restricted pods', async () => {
  const begun = performance.now();
  await scene.helmUpgrade(release);
  const installed = performance.now();
  const { platform, team } = manifests(scene);
  await scene.apply(PLATFORM, platform);
  await scene.apply(TEAM, team);
  await inPlatform(...READY, 'pgw,pup,ppol', '--all');
  await inTeam(...READY, 'pvk/ci');
  said(`helm install ${seconds(installed - begun)}, apply → Ready ${seconds(performance.now() - installed)}`);
  expect(await scene.call()).toMatchObject({ status: 200 });
  expect(await scene.pods()).toHaveLength(2);
});

test('[CLI-01] a pod with nothing but the lines of its key runs Claude Code, tools included', async () => {
  await openEdge(scene, cluster.machine);
  const archive = join(scene.folder, 'claude.tar');
  await writeClaudeImage({ authority: scene.authority, files: { 'word.txt': SECRET_WORD } }, archive);
  await cluster.loadImage(archive);
  const args = ['-p', 'Which word is in word.txt?', '--output-format', 'json', '--allowedTools', 'Bash(cat:*)'];
  await scene.apply(TEAM, [claudePod('claude-code', KEY_SECRET, await installClaudeCode(), args)]);
  await scene.until('Claude Code ends', async () =>
    /Succeeded|Failed/.test(await inTeam('get', 'pod', 'claude-code', '-o', 'jsonpath={.status.phase}')),
  );
  const printed = await inTeam('logs', 'claude-code');
  expect(JSON.parse(printed)).toMatchObject({ result: 'I have read the word.', is_error: false, num_turns: 2 });
  const asked = scene.mock.requests.filter(({ body }) => body.includes(SECRET_WORD));
  expect(asked).not.toHaveLength(0);
});

test('[OPS-11] [OPS-31] pods are replaced one by one under load: no call fails and a stream of 20 s is complete', async () => {
  const connections = scene.provider.accepted();
  const streaming = scene.call({ stream: true });
  const report = await scene.underLoad(async () => {
    const took = await scene.replaced(() =>
      edit('pgw', 'claude', { listen: { timeouts: { keepAlive: '70s' } } }),
    );
    said(`pods replaced in ${seconds(took)}`);
    const { status, text } = await streaming;
    expect(status).toBe(200);
    expect(text.split('event: content_block_delta')).toHaveLength(STREAM.count + 1);
    expect(text).toContain('event: message_stop');
  });
  said(`${report.calls} calls during it, the slowest ${report.slowest} ms`);
  expect(report.failures).toEqual([]);
  expect(report.calls).toBeGreaterThan(200);
  // Four pods, a few connections each: calls share them.
  expect(scene.provider.accepted() - connections).toBeLessThan(report.calls / 4);
});

test('[OPS-11] a pod is deleted under load, and another is added and taken away: no call fails', async () => {
  const report = await scene.underLoad(async () => {
    const [victim] = await scene.pods();
    await inPlatform('delete', 'pod', victim!.metadata.name, '--wait=false');
    await inPlatform('rollout', 'status', 'deployment/claude', '--timeout=60s');
    for (const replicas of [3, 2]) {
      await edit('pgw', 'claude', { deployment: { replicas } });
      await scene.until(`${replicas} pods`, async () => (await scene.pods()).length === replicas);
      await inPlatform('rollout', 'status', 'deployment/claude', '--timeout=60s');
    }
  });
  expect(report.failures).toEqual([]);
});
