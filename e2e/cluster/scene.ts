// What the journeys in a cluster stand on: a certificate authority of a company that pods and clients trust, a provider behind TLS on the
// machine, and releases of Portcullis as images of the node.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createAuthority, signCertificate } from '../harness/kubernetes/certificates.ts';
import type { Cluster } from '../harness/kubernetes/cluster.ts';
import { buildRelease, type Release } from '../harness/kubernetes/release.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { startTlsFront, type TlsFront } from '../harness/tls-front.ts';

export const REPOSITORY = 'localhost/corp/portcullis';

export interface Scene {
  /** Certificate of the authority, in PEM. */
  readonly authority: string;
  readonly mock: MockAnthropic;
  readonly provider: TlsFront;
  /** The provider as pods reach it. */
  readonly providerUrl: string;
  /** For files of the test; removed with the scene. */
  readonly folder: string;
  /** Builds a release and takes its image to the node. */
  release(version?: string): Promise<Release>;
  /** Terminates TLS under a name, in front of a plain address. Ends with the scene. */
  front(host: string, target: string): Promise<TlsFront>;
  /** @returns what it prints @throws {Error} with what it says */
  kubectl(...args: string[]): Promise<string>;
  apply(namespace: string, objects: readonly object[]): Promise<void>;
  close(): Promise<void>;
}

export async function openScene(cluster: Cluster): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'portcullis-cluster-journey-'));
  await createAuthority(folder);
  const authority = await readFile(join(folder, 'ca.crt'), 'utf8');
  const fronts: TlsFront[] = [];
  const mock = await startMockAnthropic();
  const front = async (host: string, target: string): Promise<TlsFront> => {
    const names = [`DNS:${host}`, `IP:${cluster.machine}`];
    await signCertificate(folder, host, `/CN=${host}`, names);
    const [cert, key] = await Promise.all(
      ['crt', 'key'].map((end) => readFile(join(folder, `${host}.${end}`), 'utf8')),
    );
    const started = await startTlsFront(cluster.machine, target, { cert: cert!, key: key! });
    fronts.push(started);
    return started;
  };
  const run = async (args: readonly string[], stdin?: string): Promise<string> => {
    const { stdout, stderr, code } = await cluster.plane.kubectl(args, stdin);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  };
  const provider = await front('provider', mock.url);
  return {
    authority,
    mock,
    provider,
    providerUrl: `https://${cluster.machine}:${provider.port}`,
    folder,
    async release(version) {
      const into = await mkdtemp(join(folder, 'release-'));
      const release = await buildRelease({ folder: into, version, repository: REPOSITORY, authority });
      await cluster.loadImage(release.image);
      return release;
    },
    front,
    kubectl: (...args) => run(args),
    async apply(namespace, objects) {
      const manifest = objects.map((object) => stringify(object)).join('---\n');
      await run(['--namespace', namespace, 'apply', '-f', '-'], manifest);
    },
    async close() {
      for (const each of fronts) await each.close();
      await mock.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
