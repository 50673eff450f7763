/** A publication of many virtual keys as a pod finds it: the objects that the operator writes, in files as kubelet mounts them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileFiles } from '#dataplane/cli/compile-files.ts';
import { partsOf, revisionOf, writeIndex } from '#shared/bundle/index-text.ts';
import { bundleJson, credentialsJson, encodePart } from '#shared/bundle/parts.ts';
import {
  INDEX_FORMAT,
  INDEX_KEY,
  indexName,
  keyPartName,
  PART_KEY,
  partName,
  type PartEntry,
  type PartName,
} from '#shared/bundle/publication.ts';
import { cutShards } from '#shared/bundle/shards.ts';
import { keyManifest, manifests } from './portcullis-files.ts';

export const GATEWAY = 'bench';

/** Compiles the manifests of the keys phase and writes what is published of them. */
export async function writePublication(folder: string, keys: number): Promise<void> {
  const file = join(folder, 'bench.yaml');
  const common = manifests({ port: 1, metricsPort: 2, upstreamUrl: 'http://127.0.0.1:1', keys });
  writeFileSync(file, `${common}---\n${keyManifest(keys - 1, 'Active')}`);
  const { gateways } = compileFiles({ paths: [file], environment: {}, now: Date.now });
  const [compiled] = gateways.values();
  if (compiled === undefined) throw new Error('the manifests of the benchmark hold no Gateway that can be served');

  const shards = cutShards(compiled.keys);
  const content = new Map<PartName, Uint8Array>([
    ['bundle', bundleJson(compiled.bundle)],
    ['credentials', credentialsJson(compiled.credentials)],
    ...shards.map(({ json }, shard) => [keyPartName(shard), json] as const),
  ]);
  const parts: Record<PartName, PartEntry> = {};
  for (const part of partsOf(shards.length)) {
    const { sha256, size, bytes } = await encodePart(part, content.get(part)!);
    parts[part] = { slot: 'a', sha256, size };
    writeObject(folder, partName(GATEWAY, part, 'a'), PART_KEY, bytes);
  }
  const index = writeIndex({
    format: INDEX_FORMAT,
    writer: '0.0.0-bench',
    revision: revisionOf(parts),
    sequence: 1,
    keyParts: shards.length,
    parts,
    revoked: [],
  });
  writeObject(folder, indexName(GATEWAY), INDEX_KEY, index);
}

function writeObject(folder: string, name: string, key: string, content: string | Uint8Array): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, key), content);
}
