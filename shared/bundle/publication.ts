// How a configuration travels through the API server: an index that names parts, each part in one of two slots of fixed names. The
// operator writes, pods read; see `parts.ts` for how parts become bytes and back.

/** Version of the index and of what the parts hold; a reader that does not know it keeps what it has. */
export const INDEX_FORMAT = 1;

export type Slot = 'a' | 'b';

/** `bundle`, `credentials`, or `keys-NN` with NN from 00. */
export type PartName = string;

export interface PartEntry {
  readonly slot: Slot;
  /** Hex digest of the part's JSON before compression. */
  readonly sha256: string;
  /** Bytes of the part's JSON before compression: the bound for whoever inflates it. */
  readonly size: number;
}

export interface BundleIndex {
  readonly format: typeof INDEX_FORMAT;
  /** Version of the operator that wrote it. */
  readonly writer: string;
  /** Content hash of all parts: equal content, equal revision. */
  readonly revision: string;
  /** Counts up with each write. A pod that has loaded N has everything published at or before N. */
  readonly sequence: number;
  /** Number of key shards: a power of two, at most {@link MAX_KEY_PARTS}. */
  readonly keyParts: number;
  readonly parts: Readonly<Record<PartName, PartEntry>>;
  /** Hashes of keys that are revoked or deleted but may still stand in a shard as it was last written. At most {@link MAX_REVOKED}. */
  readonly revoked: readonly string[];
}

/** Fixed, so that names in Roles and mounts never change with the number of keys. 100,000 keys fill 32 of them to a quarter. */
export const MAX_KEY_PARTS = 32;
export const MAX_REVOKED = 1_000;

/** Largest part after compression: the API server takes 1 MiB of data in one object. */
export const MAX_PART_BYTES = 1_000_000;

/** Name of the key of `data` (index) or `binaryData`/`data` (parts) that holds the content. */
export const INDEX_KEY = 'index.json';
export const PART_KEY = 'part.json.gz';

export const indexName = (gateway: string): string => `${gateway}-index`;

/** Name of the ConfigMap (bundle) or Secret (the others) that holds a part in a slot. */
export const partName = (gateway: string, part: PartName, slot: Slot): string => `${gateway}-${part}-${slot}`;

export const keyPartName = (shard: number): PartName => `keys-${String(shard).padStart(2, '0')}`;

/** Every part a Gateway may ever have, in order: what Roles and mounts list. */
export const ALL_PARTS: readonly PartName[] = [
  'bundle',
  'credentials',
  ...Array.from({ length: MAX_KEY_PARTS }, (_, shard) => keyPartName(shard)),
];
