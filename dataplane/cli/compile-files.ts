// Files → compiled Gateway and a report: the one path that `run` and `check` share.
import { compile } from '#shared/compile/compile.ts';
import type { CompiledGateway, ObjectStatus, RawObject } from '#shared/compile/types.ts';
import type { Fault } from '#shared/api/documents.ts';
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import { SecretText } from '#shared/secret-text.ts';
import { clusterOnlyNotes } from './cluster-only.ts';
import { loadFiles, type LoadedFiles } from './load.ts';
import { mintKeys, type MintedKey } from './mint.ts';
import type { KeyState, StateFolder } from './state.ts';

export interface CompiledFiles {
  readonly revision: string;
  readonly gateways: ReadonlyMap<string, CompiledGateway>;
  readonly statuses: readonly ObjectStatus[];
  readonly faults: readonly Fault[];
  readonly notes: readonly Fault[];
  /** Where an object stands, by `Kind namespace/name`. */
  readonly places: LoadedFiles['documents'];
  readonly objects: readonly RawObject[];
  readonly minted: readonly MintedKey[];
}

export interface CompileFilesOptions {
  readonly paths: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Absent for `check`, which keeps nothing and makes no keys. */
  readonly state?: StateFolder;
  /** What is in force of catalogs, by `namespace/name` of the Gateway. */
  readonly lastCatalogs?: ReadonlyMap<string, CatalogOverlay>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export function compileFiles({ paths, environment, state, lastCatalogs, now }: CompileFilesOptions): CompiledFiles {
  const seen = new Date(now()).toISOString();
  // The state folder remembers when an object was first seen.
  const loaded = loadFiles(paths, environment, (id) => state?.createdAt(id, seen) ?? seen);
  const { revision, objects, faults, documents: places } = loaded;
  // `check` speaks of what a cluster will do with the files, `run` of what it does itself.
  const notes = state === undefined ? loaded.notes : [...loaded.notes, ...clusterOnlyNotes(objects, places)];
  const minted = state === undefined || faults.length > 0 ? [] : mintKeys(objects, state.folder);
  const secrets = new Map(loaded.secrets);
  for (const { secret, values } of minted) secrets.set(secret, values);
  const peppers = new Map(
    objects
      .filter(({ kind }) => kind === 'Gateway')
      .map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, state?.pepper ?? CHECK_PEPPER]),
  );
  const { gateways, statuses } = compile({
    objects,
    secrets,
    catalogs: loaded.configMaps,
    ...(lastCatalogs === undefined ? {} : { lastCatalogs }),
    namespaces: loaded.namespaces,
    peppers,
    tombstones: state?.tombstones() ?? new Map<string, never>(),
  });
  return { revision, gateways, statuses, faults, notes, places, objects, minted };
}

/** `check` stores nothing, so what its hashes are keyed with does not matter. */
const CHECK_PEPPER = new SecretText('0'.repeat(64));

/** Gives what must outlive this process to the state folder. Call it only for a configuration that went into force. */
export function remember({ gateways, objects, places }: CompiledFiles, state: StateFolder): void {
  state.forgetObjects(places);
  const virtualKeys = objects.filter(({ kind }) => kind === 'VirtualKey');
  const names = new Set(virtualKeys.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
  // Revoked together with its Secret, a key has no value to compile; it is buried all the same.
  const revoked = virtualKeys.filter(
    ({ spec }) => (spec as { state?: unknown } | null | undefined)?.state === 'Revoked',
  );
  for (const [gateway, { keys }] of gateways) {
    const states = new Map<string, KeyState>(
      revoked.map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, { hash: undefined, revoked: true }]),
    );
    for (const { key, hash, state: keyState } of keys) states.set(key, { hash, revoked: keyState === 'Revoked' });
    state.recordKeys(gateway, states, names);
  }
  state.save();
}
