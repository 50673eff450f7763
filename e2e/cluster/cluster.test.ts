// The cluster of the tests itself: a real node runs pods from images made here, and Services have names.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { uniqueName } from '../harness/kubernetes/control-plane.ts';
import { writeNodeImage } from '../harness/kubernetes/images.ts';
import { sharedCluster } from '../harness/kubernetes/shared-cluster.ts';

const PROGRAM = `
  require('node:http')
    .createServer(async (request, response) => {
      const url = new URL(request.url, 'http://any').searchParams.get('url');
      response.end(url === null ? 'here is ' + process.version : await (await fetch(url)).text());
    })
    .listen(8080);
  process.on('SIGTERM', () => process.exit(0));
`;

const cluster = await sharedCluster();

async function kubectl(args: readonly string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.plane.kubectl(args, stdin);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

test('the node is ready and runs what it says', async () => {
  const ready = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}';
  expect(await kubectl(['get', 'nodes', '-o', ready])).toBe('True');
  expect((await cluster.exec(['hostname'])).stdout).toBe('node\n');
});

test('pods answer under the name of their Service, to pods and through them to the machine', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portcullis-image-'));
  const upstream = createServer((_, response) => void response.end('from the machine'));
  await new Promise<void>((resolve) => upstream.listen(0, cluster.machine, resolve));
  const namespace = uniqueName('smoke');
  try {
    await writeNodeImage('localhost/smoke:1', { '/app/index.cjs': PROGRAM }, join(folder, 'smoke.tar'));
    await cluster.loadImage(join(folder, 'smoke.tar'));
    await kubectl(['create', 'namespace', namespace]);
    await kubectl(['-n', namespace, 'apply', '-f', '-'], workload());
    await kubectl(['-n', namespace, 'rollout', 'status', 'deployment/smoke', '--timeout=60s']);
    const address = await kubectl(['-n', namespace, 'get', 'service', 'smoke', '-o', 'jsonpath={.spec.clusterIP}']);
    const ask = async (url: string): Promise<string> =>
      (await fetch(`http://${address}:80/?url=${encodeURIComponent(url)}`)).text();
    expect(await ask(`http://smoke.${namespace}.svc.cluster.local/`)).toBe(`here is ${process.version}`);
    expect(await ask('http://smoke/')).toBe(`here is ${process.version}`);
    const { port } = upstream.address() as { port: number };
    expect(await ask(`http://${cluster.machine}:${port}/`)).toBe('from the machine');
  } finally {
    await kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false']);
    upstream.close();
    await rm(folder, { recursive: true });
  }
});

/** Under the strictest of the pod security standards. */
function workload(): string {
  const metadata = { name: 'smoke' };
  const container = {
    name: 'smoke',
    image: 'localhost/smoke:1',
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
  const template = { metadata: { labels: metadata }, spec: { containers: [container] } };
  const spec = { replicas: 2, selector: { matchLabels: metadata }, template };
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: metadata, ports: [{ port: 80, targetPort: 8080 }] },
    },
  ]
    .map((object) => stringify(object))
    .join('---\n');
}
