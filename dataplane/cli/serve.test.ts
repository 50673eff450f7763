// `portcullis serve` outside of a pod: it says what it lacks and ends. Inside of one: e2e/kubernetes/cluster-source.test.ts.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../main.ts', import.meta.url));
const POD = { PORTCULLIS_GATEWAY: 'claude', POD_NAMESPACE: 'ai', POD_NAME: 'claude-1', POD_UID: 'uid-1' };

const serve = (args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> =>
  new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, 'serve', ...args], { env }, (error, _stdout, stderr) =>
      resolve(`${error?.code ?? 0} ${stderr.split('\n')[0]}`),
    );
  });

test.each<[string, readonly string[], Readonly<Record<string, string>>, string]>([
  ['no Gateway', [], {}, '2 portcullis: portcullis serve needs PORTCULLIS_GATEWAY in its environment'],
  ['no pod', ['--gateway', 'claude'], {}, '2 portcullis: portcullis serve needs POD_NAMESPACE in its environment'],
  [
    'a file',
    ['gateway.yaml'],
    POD,
    '2 portcullis: portcullis serve takes no FILE: its configuration comes from the cluster',
  ],
  ['no cluster', [], POD, '2 portcullis: portcullis serve needs KUBERNETES_SERVICE_HOST in its environment'],
  [
    'no service account',
    [],
    { ...POD, KUBERNETES_SERVICE_HOST: '127.0.0.1', PORTCULLIS_SERVICE_ACCOUNT_DIR: '/nowhere' },
    "1 portcullis: ENOENT: no such file or directory, open '/nowhere/token': no such file",
  ],
])('[OPS-04] with %s it does not start', async (_name, args, env, said) => {
  expect(await serve(args, env)).toBe(said);
});

test('[OPS-04] with neither an API server nor mounted files it waits, says so, and ends when it is told to', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-pod-'));
  for (const name of ['token', 'ca.crt', 'namespace']) writeFileSync(join(folder, name), 'x');
  const cluster = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' };
  const folders = { PORTCULLIS_SERVICE_ACCOUNT_DIR: folder, PORTCULLIS_CONFIG_DIR: folder };
  const child = spawn(process.execPath, [PROGRAM, 'serve'], { env: { ...POD, ...cluster, ...folders } });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    await expect
      .poll(() => said, { timeout: 15_000 })
      .toMatch(/no configuration yet, so no listener\. API server: .*ECONNREFUSED.* Mounted: ENOENT/);
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});
