// What is shipped of the program, alone in a folder: two entries and their chunks, no packages beside them, no store, no operator, and quickly
// ready, because pipelines start it as a sidecar and wait only seconds.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startMockAnthropic } from '../harness/mock-anthropic.ts';
import {
  copyProgram,
  startPortcullis,
  type PortcullisProcess,
  type StartOptions,
} from '../harness/portcullis-process.ts';
import { basicResources, CI_KEY, NAMESPACE, object, eventually, type Resources } from '../harness/resources.ts';

const SAMPLE = fileURLToPath(new URL('../../crds/samples/quickstart.yaml', import.meta.url));
/** What pipelines wait for a sidecar. */
const READY_MS = 5_000;

let folder: string;
let program: string;
let gateway: PortcullisProcess | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-artefact-'));
  program = await copyProgram(folder);
});

afterEach(async () => {
  await gateway?.stop();
  gateway = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function start(resources: Resources, options: StartOptions = {}): Promise<PortcullisProcess> {
  gateway = await startPortcullis(resources, { program, ...options });
  console.log(`ready in ${Math.round(gateway.readyMs)} ms`);
  return gateway;
}

function ask(url: string, key: string) {
  return request(`${url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: '{"model":"claude-haiku-5-5","max_tokens":8,"stream":true,"messages":[{"role":"user","content":"hi"}]}',
  });
}

test('[OPS-29] the folder alone serves a file configuration, ready within five seconds', async () => {
  const mock = await startMockAnthropic();
  try {
    const { url, readyMs } = await start(basicResources(mock.url));
    expect(readyMs).toBeLessThan(READY_MS);
    const answer = await ask(url, CI_KEY);
    expect(answer.statusCode).toBe(200);
    expect(await answer.body.text()).toContain('event: message_stop');
    expect(readdirSync(folder).sort()).toEqual(['chunks', 'package.json', 'portcullis-load.js', 'portcullis.js']);
  } finally {
    await mock.close();
  }
});

test('[OPS-20][AUTH-21] the sample and --demo: a working gateway on loopback, its key in a file a shell can source', async () => {
  const { url, folder: run } = await start(sample(), { args: ['--demo'] });
  expect((await request(`${url}/readyz`)).statusCode).toBe(200);
  const file = join(run, 'state', 'keys', NAMESPACE, 'ci-claude-key.env');
  const variables = Object.fromEntries(
    readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('=', 2) as [string, string]),
  );
  expect(Object.keys(variables)).toEqual(['ANTHROPIC_BASE_URL', 'ANTHROPIC_AUTH_TOKEN']);
  expect(variables['ANTHROPIC_BASE_URL']).toBe(url);
  expect(statSync(file).mode & 0o077).toBe(0);
  const answer = await ask(variables['ANTHROPIC_BASE_URL']!, variables['ANTHROPIC_AUTH_TOKEN']!);
  expect(answer.statusCode).toBe(200);
  expect(await answer.body.text()).toContain('event: message_stop');
});

/** The shipped sample; only its port is another one. */
function sample(): Resources {
  const documents = parseAllDocuments(readFileSync(SAMPLE, 'utf8')).map(
    (document) => document.toJS() as SampleDocument,
  );
  const secrets = documents.filter(({ kind }) => kind === 'Secret');
  return {
    objects: documents
      .filter(({ kind }) => kind !== 'Secret')
      .map(({ kind, metadata, spec }) => object(kind, metadata.name, spec ?? {}, metadata)),
    secrets: Object.fromEntries(
      secrets.map(({ metadata, stringData }) => [`${NAMESPACE}/${metadata.name}`, stringData ?? {}]),
    ),
  };
}

interface SampleDocument {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: Record<string, unknown>;
  readonly stringData?: Record<string, string>;
}

test('an upgrade in place leaves the old program serving, takes no edit and says to restart', async () => {
  const mock = await startMockAnthropic();
  const resources = basicResources(mock.url);
  const running = await start(resources);
  await copyProgram(folder);
  // The edit is never taken over, so its promise is left alone.
  void running
    .edit({ ...resources, secrets: { ...resources.secrets, [`${NAMESPACE}/other`]: { a: 'b' } } })
    .catch(() => undefined);
  await eventually(() => running.said().includes('was replaced: restart to use it') || undefined, 5_000);
  const answer = await request(`${running.url}/v1/health`, { headers: { 'x-api-key': CI_KEY } });
  expect(answer.statusCode).toBe(200);
  await mock.close();
});
