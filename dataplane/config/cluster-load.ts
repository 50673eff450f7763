// An index and the place of its parts → a configuration that can be put into force. Every part is checked against the index; parts that did
// not change are taken over from the publication before. All or nothing.
import type { Bundle, Credentials } from '#shared/bundle/bundle.ts';
import { partsOf } from '#shared/bundle/index-text.ts';
import { decodePart, PartError, readBundle, readCredentials } from '#shared/bundle/parts.ts';
import { keyPartName, type BundleIndex, type PartName } from '#shared/bundle/publication.ts';
import { KeyIndex, type ShardSource } from '../identify/key-index.ts';
import type { OpenCredentials } from '../providers/target.ts';
import { LoadFault } from './cluster-fault.ts';
import type { Place } from './cluster-place.ts';
import { buildSnapshot, type Snapshot } from './snapshot.ts';

/** A publication that was read whole. */
export interface Publication {
  readonly index: BundleIndex;
  readonly bundle: Bundle;
  readonly credentials: Credentials;
  readonly snapshot: Snapshot;
  /** Parts that were read, not taken over. */
  readonly changed: readonly PartName[];
}

/** Parts read at once: a big configuration comes quickly, and a thousand pods do not ask for all of it in the same instant. */
const PARALLEL_READS = 4;

/**
 * @param before publication in force
 * @throws {LoadFault} for whatever is not as it should be; nothing was changed then
 */
export async function loadPublication(
  index: BundleIndex,
  place: Place,
  before: Publication | undefined,
  open: OpenCredentials,
): Promise<Publication> {
  const keysBefore = before?.snapshot.keys;
  const changed = partsOf(index.keyParts).filter((part) => {
    const { sha256 } = index.parts[part]!;
    if (part === 'bundle' || part === 'credentials') return before?.index.parts[part]?.sha256 !== sha256;
    return keysBefore?.holdsShard(sha256) !== true;
  });
  const read = await readParts(changed, index, place);
  try {
    const bundleJson = read.get('bundle');
    const bundle = bundleJson === undefined ? before!.bundle : readBundle(bundleJson);
    const credentialsJson = read.get('credentials');
    const credentials = credentialsJson === undefined ? before!.credentials : readCredentials(credentialsJson);
    const shards = Array.from({ length: index.keyParts }, (_, shard): ShardSource => {
      const part = keyPartName(shard);
      return { sha256: index.parts[part]!.sha256, json: read.get(part) };
    });
    const keys = await KeyIndex.load(credentials.pepper, shards, keysBefore);
    const snapshot = buildSnapshot(index.revision, bundle, credentials, keys, open);
    return { index, bundle, credentials, changed, snapshot };
  } catch (error) {
    throw asFault(error);
  }
}

async function readParts(
  parts: readonly PartName[],
  index: BundleIndex,
  place: Place,
): Promise<ReadonlyMap<PartName, Buffer>> {
  const read = new Map<PartName, Buffer>();
  const waiting = [...parts];
  let failed = false;
  const reader = async (): Promise<void> => {
    for (let part = waiting.shift(); part !== undefined && !failed; part = waiting.shift()) {
      try {
        read.set(part, await readPart(part, index, place));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, reader));
  return read;
}

async function readPart(part: PartName, index: BundleIndex, place: Place): Promise<Buffer> {
  const entry = index.parts[part]!;
  let bytes: Uint8Array;
  try {
    bytes = await place.part(part, entry.slot);
  } catch (error) {
    if (error instanceof LoadFault) throw error;
    throw new LoadFault('part_unavailable', `part ${part} cannot be had: ${(error as Error).message}`);
  }
  try {
    return await decodePart(part, bytes, entry);
  } catch (error) {
    throw asFault(error);
  }
}

/** What we do not know may quote what it read; only its class is told. */
function asFault(error: unknown): LoadFault {
  if (error instanceof LoadFault) return error;
  if (error instanceof PartError) return new LoadFault('bad_part', error.message);
  return new LoadFault('unusable', `no configuration can be built from the parts (${(error as Error).name})`);
}
