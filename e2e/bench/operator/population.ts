/** As many virtual keys as it takes, made through the API server while no operator runs, with values that are known. */
import type { KubeClient } from '#shared/kube/client.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import { GATEWAY, gatewayManifest, upstreamManifest, valueOf } from '../../harness/kubernetes/churn/population.ts';

/** Keys whose values share a Secret: some 200 KB of the 1 MiB one may have. */
const PER_SECRET = 2_000;
/** Calls at a time. */
const PARALLEL = 24;

export const keyName = (at: number): string => `key-${at}`;
const secretName = (at: number): string => `values-${Math.floor(at / PER_SECRET)}`;

export async function createGateway(
  client: KubeClient,
  namespace: string,
  replicas: number,
  upstream: string,
): Promise<void> {
  const data = { token: Buffer.from('sk-ant-bench').toString('base64') };
  await client.create(RESOURCE.Secret, { metadata: { name: 'anthropic', namespace }, data } as KubeObject);
  await client.create(RESOURCE.Gateway, gatewayManifest(namespace, replicas));
  await client.create(RESOURCE.Upstream, upstreamManifest(namespace, upstream));
  const spec = { gatewayRef: { name: GATEWAY }, match: { everyone: {} } };
  await client.create(RESOURCE.Policy, { metadata: { name: 'everyone', namespace }, spec } as KubeObject);
}

/** @returns keys made in a second */
export async function createKeys(client: KubeClient, namespace: string, from: number, to: number): Promise<number> {
  const begun = performance.now();
  for (let first = from - (from % PER_SECRET); first < to; first += PER_SECRET) {
    const names = Array.from({ length: PER_SECRET }, (_, i) => keyName(first + i));
    const data = Object.fromEntries(names.map((name) => [name, Buffer.from(valueOf(name)).toString('base64')]));
    const secret = { metadata: { name: secretName(first), namespace }, data };
    await client.apply(RESOURCE.Secret, secret, { fieldManager: 'bench' });
  }
  let next = from;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < to; at = next++) await client.create(RESOURCE.VirtualKey, manifest(namespace, at));
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return ((to - from) * 1000) / (performance.now() - begun);
}

function manifest(namespace: string, at: number): KubeObject & { readonly spec: object } {
  const name = keyName(at);
  return {
    metadata: { name, namespace, labels: { team: `t${at % 200}` } },
    spec: {
      gatewayRef: { name: GATEWAY },
      owner: { type: 'Service', name },
      credential: { type: 'Imported', imported: { secretRef: { name: secretName(at), key: name } } },
    },
  };
}
