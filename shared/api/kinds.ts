// The register of the four kinds: everything that differs between them for parsing, CRDs and printing.
import type { z } from 'zod';
import { gatewaySpec, type GatewaySpec } from './gateway.ts';
import { policySpec, type PolicySpec } from './policy.ts';
import { upstreamSpec, type UpstreamSpec } from './upstream.ts';
import { plainVirtualKey } from './virtual-key-plain.ts';
import { virtualKeySpec, type VirtualKeySpec } from './virtual-key.ts';

export const GROUP = 'portcullis.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

export interface SpecOf {
  Gateway: GatewaySpec;
  Upstream: UpstreamSpec;
  Policy: PolicySpec;
  VirtualKey: VirtualKeySpec;
}

export type Kind = keyof SpecOf;

export interface KindInfo {
  readonly kind: Kind;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
  /** Longest `metadata.name`, where less than the 253 of Kubernetes. */
  readonly maxNameLength?: number;
  readonly spec: z.ZodType;
  /** Reads the specs that most objects of a kind with many objects have as the schema does; undefined for all others. */
  readonly plain?: (raw: unknown) => object | undefined;
}

export const KINDS: readonly KindInfo[] = [
  // A Gateway gives its name to a Service, whose name ends at 63; the rest is room for suffixes.
  { kind: 'Gateway', plural: 'gateways', singular: 'gateway', shortName: 'pgw', maxNameLength: 50, spec: gatewaySpec },
  { kind: 'Upstream', plural: 'upstreams', singular: 'upstream', shortName: 'pup', spec: upstreamSpec },
  { kind: 'Policy', plural: 'policies', singular: 'policy', shortName: 'ppol', spec: policySpec },
  {
    kind: 'VirtualKey',
    plural: 'virtualkeys',
    singular: 'virtualkey',
    shortName: 'pvk',
    spec: virtualKeySpec,
    plain: plainVirtualKey,
  },
];

const BY_KIND: ReadonlyMap<string, KindInfo> = new Map(KINDS.map((info) => [info.kind, info]));

export function kindInfo(kind: string): KindInfo | undefined {
  return BY_KIND.get(kind);
}

/** The part of `metadata` that the compile step reads. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid?: string;
  readonly generation?: number;
  /** RFC 3339; decides who is older when objects conflict. */
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Of an object of a cluster only those in our own name. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An object of one of the four kinds whose spec is parsed and defaulted. */
export interface Resource<K extends Kind = Kind> {
  readonly kind: K;
  readonly metadata: ObjectMeta;
  readonly spec: SpecOf[K];
}

/** `namespace/name`, the key of an object within its kind. */
export function objectKey(meta: { readonly namespace: string; readonly name: string }): string {
  return `${meta.namespace}/${meta.name}`;
}
