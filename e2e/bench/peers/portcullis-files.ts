/** The manifests Portcullis is measured with: one upstream, one policy, and as many virtual keys as asked. */
import { createHash } from 'node:crypto';

/** Keys a Secret of the cluster can well hold; more would near its limit of 1 MiB. */
const keysPerSecret = 1000;

export interface ManifestOptions {
  readonly port: number;
  readonly metricsPort: number;
  readonly upstreamUrl: string;
  readonly keys: number;
}

/** The value of key `index`: shaped like a generated one, the same in every run, and secret to nobody. */
export function keyValue(index: number): string {
  return `sk-pc-${createHash('sha256').update(`bench key ${index}`).digest('base64url')}`;
}

/** Everything but the last key's own document, so that a benchmark can change that key alone. */
export function manifests(options: ManifestOptions): string {
  const documents = [
    `apiVersion: portcullis.dev/v1alpha1
kind: Gateway
metadata:
  name: bench
spec:
  publicUrl: http://127.0.0.1:${options.port}
  listen:
    port: ${options.port}
    limits:
      maxConcurrentUpstream: 16384
  metrics:
    port: ${options.metricsPort}
`,
    `apiVersion: portcullis.dev/v1alpha1
kind: Upstream
metadata:
  name: mock
spec:
  gatewayRef: {name: bench}
  provider: Anthropic
  baseUrl: ${options.upstreamUrl}
  anthropic:
    auth:
      type: APIKey
      apiKey: {name: mock-credential, key: token}
`,
    `apiVersion: v1
kind: Secret
metadata:
  name: mock-credential
stringData:
  token: sk-ant-bench
`,
    `apiVersion: portcullis.dev/v1alpha1
kind: Policy
metadata:
  name: everyone
spec:
  gatewayRef: {name: bench}
  match:
    everyone: {}
  models:
    allow: ["claude-*"]
`,
  ];
  for (let first = 0; first < options.keys; first += keysPerSecret) {
    const lines: string[] = [];
    for (let index = first; index < Math.min(options.keys, first + keysPerSecret); index += 1) {
      lines.push(`  ${keyName(index)}: ${keyValue(index)}\n`);
      if (index < options.keys - 1) documents.push(keyManifest(index, 'Active'));
    }
    documents.push(
      `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${secretName(first)}\nstringData:\n${lines.join('')}`,
    );
  }
  return documents.join('---\n');
}

/** One VirtualKey document. */
export function keyManifest(index: number, state: 'Active' | 'Disabled'): string {
  return `apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata:
  name: ${keyName(index)}
  labels:
    team: team-${index % 50}
spec:
  gatewayRef: {name: bench}
  owner: {type: Service, name: ${keyName(index)}}
  credential:
    type: Imported
    imported:
      secretRef: {name: ${secretName(index)}, key: ${keyName(index)}}
  state: ${state}
`;
}

function keyName(index: number): string {
  return `key-${String(index).padStart(6, '0')}`;
}

function secretName(index: number): string {
  return `keys-${String(Math.floor(index / keysPerSecret)).padStart(3, '0')}`;
}
