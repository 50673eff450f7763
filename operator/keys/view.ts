// A VirtualKey as planning sees it: its manifest parsed, its status members read, its dates in milliseconds.
import { createHash } from 'node:crypto';
import { objectKey } from '#shared/api/kinds.ts';
import { parseSpecOnce } from '#shared/api/parse-once.ts';
import type { VirtualKeySpec } from '#shared/api/virtual-key.ts';
import {
  storedCredential,
  storedPrevious,
  type StoredCredential,
  type StoredPrevious,
} from '#shared/api/virtual-key-status.ts';
import { endOfLife } from '#shared/compile/keys.ts';
import { createdAt } from '#shared/compile/precedence.ts';
import { ROTATE_ANNOTATION } from '#shared/kube/labels.ts';
import type { KubeMeta, KubeObject } from '#shared/kube/object.ts';

/** A VirtualKey as the cache holds it. */
export interface VirtualKeyObject extends KubeObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** The members of the status that the minter writes. */
export interface StoredKey {
  readonly credential?: StoredCredential;
  readonly previous?: StoredPrevious;
}

export interface KeyView {
  /** `namespace/name`. */
  readonly id: string;
  readonly uid: string;
  readonly meta: KubeMeta;
  readonly spec: VirtualKeySpec;
  /** `namespace/name` of the Gateway it names. */
  readonly gateway: string;
  /** `namespace/name` of the Secret a Generated key is written to. */
  readonly secret: string | undefined;
  /** Milliseconds since 1970, UTC. */
  readonly bornAt: number | undefined;
  readonly endsAt: number | undefined;
  /** What annotation portcullis.dev/rotate says. */
  readonly rotate: string | undefined;
  readonly stored: StoredKey;
}

/** @returns undefined for an object on its way out and for one whose manifest cannot be read: the compile step says why */
export function keyView(object: VirtualKeyObject): KeyView | undefined {
  const { metadata } = object;
  if (metadata.deletionTimestamp !== undefined || metadata.uid === undefined) return undefined;
  const parsed = parseSpecOnce('VirtualKey', object.spec);
  if (!parsed.ok) return undefined;
  const spec = parsed.value;
  const { gatewayRef, credential } = spec;
  const end = endOfLife({ kind: 'VirtualKey', metadata, spec });
  return {
    id: objectKey(metadata),
    uid: metadata.uid,
    meta: metadata,
    spec,
    gateway: `${gatewayRef.namespace ?? metadata.namespace}/${gatewayRef.name}`,
    secret: credential.generated && `${metadata.namespace}/${credential.generated.secretName}`,
    bornAt: createdAt(metadata),
    endsAt: end === 'unknown' ? undefined : end,
    rotate: rotateMark(metadata.annotations?.[ROTATE_ANNOTATION]),
    stored: storedKey(object.status),
  };
}

/** What stands in a status. A member that somebody else has spoilt counts as absent. */
export function storedKey(status: unknown): StoredKey {
  if (typeof status !== 'object' || status === null) return {};
  const { credential, previous } = status as Record<string, unknown>;
  const value = credential === undefined ? undefined : storedCredential.safeParse(credential).data;
  const before = value === undefined || previous === undefined ? undefined : storedPrevious.safeParse(previous).data;
  return { ...(value && { credential: value }), ...(before && { previous: before }) };
}

/** Annotations may be long, what the status remembers may not. */
function rotateMark(annotation: string | undefined): string | undefined {
  if (annotation === undefined || annotation === '') return undefined;
  return annotation.length <= 128 ? annotation : createHash('sha256').update(annotation).digest('hex');
}
