// What the data plane serves by: one immutable object built from a bundle, its credentials and its keys, swapped as a whole.
// A call keeps the `Settings` it started with until it ends; it never holds the key index, so a stream of an hour does not keep
// 100,000 keys of an old configuration alive.
import { BUNDLE_FORMAT, type Bundle, type Credentials } from '#shared/bundle/bundle.ts';
import { tablesWith, type CatalogTables } from '#shared/catalog/overlay.ts';
import { AccessBook } from '../admit/access.ts';
import { FallbackTable } from '../admit/fallbacks.ts';
import { ModelTable } from '../admit/models.ts';
import { NetworkList } from '../admit/network.ts';
import type { KeyIndex } from '../identify/key-index.ts';
import { PriceBook } from '../meter/price-book.ts';
import { sortUpstreams, type LeftOut } from '../providers/left-out.ts';
import { upstreamTargets, type OpenCredentials, type UpstreamTarget } from '../providers/target.ts';

/** The part of a configuration that a running call may keep. */
export interface Settings {
  readonly revision: string;
  readonly gateway: Bundle['gateway'];
  readonly trustedProxies: NetworkList;
  readonly allow: NetworkList;
  readonly deny: NetworkList;
  /** What is known of models, prices and betas: the built-in tables with the platform team's over them. */
  readonly catalog: CatalogTables;
  readonly models: ModelTable;
  readonly fallbacks: FallbackTable;
  readonly access: AccessBook;
  readonly upstreams: readonly UpstreamTarget[];
  /** Upstreams of the bundle that this release cannot call. */
  readonly leftOut: readonly LeftOut[];
  readonly prices: PriceBook;
}

export interface Snapshot {
  readonly settings: Settings;
  readonly keys: KeyIndex;
}

/** A bundle this build does not understand; the last good configuration keeps serving. */
export class UnknownFormatError extends Error {
  readonly code = 'unknown_bundle_format';
}

/**
 * @param revision content hash of the configuration, reported in metrics and status
 * @param open credentials of upstreams live longer than a configuration: what did not change is taken over
 * @throws {UnknownFormatError} when the bundle was written by another major version
 */
export function buildSnapshot(
  revision: string,
  bundle: Bundle,
  credentials: Credentials,
  keys: KeyIndex,
  open: OpenCredentials,
): Snapshot {
  const format: number = bundle.format;
  if (format !== BUNDLE_FORMAT) {
    throw new UnknownFormatError(`bundle format ${format} is not ${BUNDLE_FORMAT}: upgrade the data plane`);
  }
  const { gateway } = bundle;
  const catalog = tablesWith(bundle.catalog);
  const { known, leftOut } = sortUpstreams(bundle.upstreams);
  const models = new ModelTable(gateway.builtinModels, bundle.models, known, catalog.models);
  const upstreams = upstreamTargets(known, credentials, open, gateway.proxy, catalog);
  return {
    settings: {
      revision,
      gateway,
      trustedProxies: new NetworkList(gateway.listen.trustedProxies),
      allow: new NetworkList(gateway.listen.access.allow),
      deny: new NetworkList(gateway.listen.access.deny),
      catalog,
      models,
      fallbacks: new FallbackTable(gateway.fallbacks ?? [], models),
      access: new AccessBook(gateway, bundle.policies, upstreams),
      upstreams,
      leftOut,
      prices: new PriceBook(gateway.pricing, upstreams, catalog),
    },
    keys,
  };
}

/** Holds the configuration in force. Readers take `current` once per call; whoever loads configuration swaps it. */
export class SnapshotHolder {
  #current: Snapshot | undefined;
  readonly #listeners: ((next: Snapshot) => void)[] = [];

  get current(): Snapshot | undefined {
    return this.#current;
  }

  swap(next: Snapshot): void {
    this.#current = next;
    for (const listener of this.#listeners) listener(next);
  }

  /** Called after each swap, for what follows the configuration: log level, limits, keys cut off. */
  onSwap(listener: (next: Snapshot) => void): void {
    this.#listeners.push(listener);
  }
}
