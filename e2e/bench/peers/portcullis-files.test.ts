/** The generated manifests must be ones the product accepts, or the benchmark would measure a refusal. */
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { gatewaySpec } from '#shared/api/gateway.ts';
import { policySpec } from '#shared/api/policy.ts';
import { upstreamSpec } from '#shared/api/upstream.ts';
import { virtualKeySpec } from '#shared/api/virtual-key.ts';
import { keyManifest, keyValue, manifests } from './portcullis-files.ts';

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly credential: { readonly imported: { readonly secretRef: { name: string; key: string } } } };
  readonly stringData?: Readonly<Record<string, string>>;
}

const schemas = { Gateway: gatewaySpec, Upstream: upstreamSpec, Policy: policySpec, VirtualKey: virtualKeySpec };
const text = `${manifests({ port: 8080, metricsPort: 9090, upstreamUrl: 'http://127.0.0.1:1', keys: 1001 })}---\n${keyManifest(1000, 'Active')}`;
const documents = parseAllDocuments(text).map((document) => document.toJS() as Document);

test('every document satisfies its schema', () => {
  const checked = documents.filter((document) => document.kind in schemas);
  for (const document of checked) schemas[document.kind as keyof typeof schemas].parse(document.spec);
  expect(checked).toHaveLength(1 + 1 + 1 + 1001);
});

test('every key finds its value, spread over Secrets of a size a cluster takes', () => {
  const secrets = new Map(
    documents.filter((one) => one.kind === 'Secret').map((one) => [one.metadata.name, one.stringData]),
  );
  const values = documents
    .filter((document) => document.kind === 'VirtualKey')
    .map((document) => document.spec?.credential.imported.secretRef)
    .map((ref) => secrets.get(ref?.name ?? '')?.[ref?.key ?? '']);
  expect(new Set(values).size).toBe(1001);
  expect(values.at(-1)).toBe(keyValue(1000));
  expect(secrets.size).toBe(1 + 2);
});
