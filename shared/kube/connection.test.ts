// Who we are to the API server: found where kubectl finds it, read again when it may have changed.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inClusterConnection } from './in-cluster.ts';
import { openConnection } from './open-connection.ts';

let folder: string;
let now = 0;
const clock = (): number => now;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-kube-'));
  now = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

function serviceAccount(): Record<string, string> {
  write('token', 'one\n');
  write('ca.crt', 'PEM 1');
  write('namespace', 'team-a');
  return {
    KUBERNETES_SERVICE_HOST: '10.0.0.1',
    KUBERNETES_SERVICE_PORT: '6443',
    PORTCULLIS_SERVICE_ACCOUNT_DIR: folder,
  };
}

describe('in a pod', () => {
  test('the service account and the address in the environment', async () => {
    const connection = await openConnection(serviceAccount(), clock);
    expect(connection).toMatchObject({ server: 'https://10.0.0.1:6443', namespace: 'team-a' });
    expect(await connection.credentials(false)).toEqual({ tls: { ca: 'PEM 1' }, authorization: 'Bearer one' });
  });

  test('an IPv6 address is put in brackets', async () => {
    const environment = { ...serviceAccount(), KUBERNETES_SERVICE_HOST: 'fd00::1' };
    expect((await openConnection(environment, clock)).server).toBe('https://[fd00::1]:6443');
  });

  test('token and CA are read again after a minute, and at once when they were refused', async () => {
    const connection = await openConnection(serviceAccount(), clock);
    write('token', 'two');
    write('ca.crt', 'PEM 2');
    now = 59_000;
    expect((await connection.credentials(false)).authorization).toBe('Bearer one');
    now = 61_000;
    expect(await connection.credentials(false)).toEqual({ tls: { ca: 'PEM 2' }, authorization: 'Bearer two' });
    write('token', 'three');
    expect((await connection.credentials(true)).authorization).toBe('Bearer three');
  });

  test('a file that is missing for the moment leaves what was known', async () => {
    const connection = await openConnection(serviceAccount(), clock);
    rmSync(join(folder, 'token'));
    expect((await connection.credentials(true)).authorization).toBe('Bearer one');
  });

  test('a service account that cannot be read is an error from the start', async () => {
    const environment = serviceAccount();
    rmSync(join(folder, 'ca.crt'));
    await expect(inClusterConnection(environment, folder, clock)).rejects.toThrow('ca.crt');
    await expect(inClusterConnection({}, folder, clock)).rejects.toThrow('not in a pod');
  });
});

describe('a kubeconfig', () => {
  const config = (user: string, cluster = ''): string => `
clusters: [{name: c, cluster: {server: 'https://api.test:6443/', certificate-authority-data: ${btoa('PEM')}${cluster}}}]
users: [{name: u, user: ${user}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: team-b}}]
current-context: x
`;

  test('wins over the pod, and its client certificate is used', async () => {
    const KUBECONFIG = write(
      'config',
      config(`{client-certificate-data: ${btoa('CERT')}, client-key-data: ${btoa('KEY')}}`),
    );
    const connection = await openConnection({ ...serviceAccount(), KUBECONFIG }, clock);
    expect(connection).toMatchObject({ server: 'https://api.test:6443', namespace: 'team-b' });
    expect(await connection.credentials(false)).toEqual({ tls: { ca: 'PEM', cert: 'CERT', key: 'KEY' } });
  });

  test('in the home folder, when there is nothing else; its token', async () => {
    mkdirSync(join(folder, '.kube'));
    write('.kube/config', config('{token: t}'));
    const connection = await openConnection({ HOME: folder }, clock);
    expect((await connection.credentials(false)).authorization).toBe('Bearer t');
  });

  test('an exec plugin is asked once, and again when its token was refused', async () => {
    const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential' };
    const expirationTimestamp = '2999-01-01T00:00:00Z';
    const status = JSON.stringify({ ...credential, status: { expirationTimestamp, token: 'N' } });
    const calls = join(folder, 'calls');
    const plugin = write(
      'plugin',
      `#!/bin/sh\necho >> ${calls}\necho '${status}' | sed "s/N/$(wc -l < ${calls} | tr -d ' ')/"\n`,
    );
    chmodSync(plugin, 0o755);
    const exec = `{exec: {apiVersion: client.authentication.k8s.io/v1, command: ${plugin}, interactiveMode: Never}}`;
    const connection = await openConnection({ KUBECONFIG: write('config', config(exec)) }, clock);
    expect((await connection.credentials(false)).authorization).toBe('Bearer 1');
    now = 61_000;
    expect((await connection.credentials(false)).authorization).toBe('Bearer 1');
    expect((await connection.credentials(true)).authorization).toBe('Bearer 2');
  });

  test.each([
    ['that asks for a proxy', config('{token: t}', ', proxy-url: http://proxy:1'), 'proxy-url'],
    ['without a cluster', 'current-context: none', 'no cluster'],
  ])('%s is an error', async (_name, text, message) => {
    await expect(openConnection({ KUBECONFIG: write('config', text) }, clock)).rejects.toThrow(message);
  });
});

test('nothing at all is an error that says what to set', async () => {
  await expect(openConnection({}, clock)).rejects.toThrow('KUBECONFIG');
});
