// What goes into the compile step and what comes out of it.
import type { Condition } from '#shared/api/conditions.ts';
import type { Kind, ObjectMeta } from '#shared/api/kinds.ts';
import type { Bundle, Credentials, KeyEntry } from '#shared/bundle/bundle.ts';
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import type { SecretText } from '#shared/secret-text.ts';

/** An object as it was read: kind and metadata are known, the spec is whatever its author wrote. */
export interface RawObject {
  readonly apiVersion?: unknown;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
}

export interface CompileInput {
  /** Objects of the four kinds, in any order. */
  readonly objects: readonly RawObject[];
  /** Secrets by `namespace/name`, then by key. */
  readonly secrets: ReadonlyMap<string, ReadonlyMap<string, SecretText>>;
  /** Data of the ConfigMaps that Gateways name as their catalog, by `namespace/name`, then by key. Never altered. */
  readonly catalogs?: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** What is in force of each Gateway's catalog, by `namespace/name` of the Gateway: it stays while the ConfigMap cannot be used. */
  readonly lastCatalogs?: ReadonlyMap<string, CatalogOverlay>;
  /** Labels of namespaces, for allowedNamespaces selectors. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Pepper by Gateway `namespace/name`. */
  readonly peppers: ReadonlyMap<string, SecretText>;
  /** Hashes (hex) of keys that were deleted or revoked and may never come back, by Gateway `namespace/name`. */
  readonly tombstones: ReadonlyMap<string, ReadonlySet<string>>;
  /** Generated keys by `namespace/name`. When given, only a key in here has a value; when left out, values are read from the Secrets. */
  readonly credentials?: ReadonlyMap<string, KeyCredential>;
}

/** A value known by its keyed hash. */
export interface KeyHash {
  /** 64 hex digits, under the pepper of the key's Gateway. */
  readonly hash: string;
  readonly prefix: string;
}

/** What the operator knows of the values of one Generated key. */
export interface KeyCredential extends KeyHash {
  /** The value a rotation replaced; still good. */
  readonly previous?: KeyHash & {
    /** End of grace in milliseconds since 1970, UTC; absent while nobody can have the new value yet. */
    readonly until?: number;
  };
}

export interface CompiledGateway {
  readonly bundle: Bundle;
  readonly credentials: Credentials;
  /** Sorted by hash. */
  readonly keys: readonly KeyEntry[];
}

/** What is reported on one object. `fields` are further members of `status`, such as `prefix` or `attached`. */
export interface ObjectStatus {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly generation?: number;
  readonly conditions: readonly Condition[];
  readonly fields: Readonly<Record<string, unknown>>;
  /** Faults of the manifest with their places, for tools that can point at a line. Already part of the Accepted message. */
  readonly issues: readonly FieldIssue[];
  /** Things that work but are probably not meant. */
  readonly warnings: readonly string[];
}

export interface FieldIssue {
  /** Place within the object, such as `['spec', 'models', 'allow', 0]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface CompileOutput {
  /** By `namespace/name`. A Gateway that is not Accepted is absent: whoever serves it keeps its last good configuration. */
  readonly gateways: ReadonlyMap<string, CompiledGateway>;
  /** One for every object of the input, sorted by kind, namespace and name. */
  readonly statuses: readonly ObjectStatus[];
  /** The objects of the input in the order of their statuses. */
  readonly objects: readonly RawObject[];
}
