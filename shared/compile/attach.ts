// Attachment: an object belongs to a Gateway when the Gateway is there, is sound and admits the object's namespace.
// Seen from another namespace, a Gateway that refuses and one that does not exist look the same: a manifest must not be a probe.
import type { Kind, ObjectMeta } from '#shared/api/kinds.ts';
import type { GatewaySpec } from '#shared/api/gateway.ts';
import { issue } from '#shared/api/parse.ts';
import { selects } from './label-selector.ts';
import type { Subject } from './subject.ts';
import type { FieldIssue } from './types.ts';

export type ChildKind = Exclude<Kind, 'Gateway'>;

const ALLOWED: Readonly<Record<ChildKind, keyof GatewaySpec['allowedNamespaces']>> = {
  Upstream: 'upstreams',
  Policy: 'policies',
  VirtualKey: 'virtualKeys',
};

/** What attachment looks at beside the object itself. */
export interface AttachmentContext {
  /** Gateways whose manifest could be read, by `namespace/name`. */
  readonly gateways: ReadonlyMap<string, Subject<'Gateway'>>;
  /** `namespace/name` of all Gateways, readable or not. */
  readonly gatewayNames: ReadonlySet<string>;
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

export type Attachment =
  | { readonly ok: true; readonly gateway: string }
  | { readonly ok: false; readonly reason: string; readonly issue: FieldIssue };

/**
 * Decides whether an object may attach to the Gateway it names.
 * @returns the Gateway as `namespace/name`, or the reason of Accepted False and the fault
 */
export function attach(
  kind: ChildKind,
  meta: ObjectMeta,
  ref: { readonly name: string; readonly namespace?: string | undefined },
  context: AttachmentContext,
): Attachment {
  const namespace = ref.namespace ?? meta.namespace;
  const key = `${namespace}/${ref.name}`;
  const gateway = context.gateways.get(key);
  if (namespace === meta.namespace) {
    if (!context.gatewayNames.has(key)) {
      const text = `there is no Gateway ${ref.name} in this namespace; create it or correct the name`;
      return refused('GatewayNotFound', text);
    }
  } else if (gateway === undefined || !admits(kind, gateway.resource.spec, meta.namespace, context.namespaces)) {
    const text =
      `Gateway ${key} does not exist or does not admit objects of kind ${kind} from namespace ${meta.namespace}; ` +
      `ask its owner to admit the namespace in spec.allowedNamespaces.${ALLOWED[kind]}`;
    return refused('NotAllowedByGateway', text);
  }
  if (gateway === undefined || !gateway.report.accepted) {
    return refused('GatewayNotAccepted', `Gateway ${key} is not accepted; see its status`);
  }
  return { ok: true, gateway: key };
}

const refused = (reason: string, text: string): Attachment => ({
  ok: false,
  reason,
  issue: issue(['spec', 'gatewayRef'], text),
});

/** Whether the Gateway's allowedNamespaces let objects of a kind attach from a namespace other than its own. */
export function admits(
  kind: ChildKind,
  spec: GatewaySpec,
  namespace: string,
  namespaces: AttachmentContext['namespaces'],
): boolean {
  const { from, selector } = spec.allowedNamespaces[ALLOWED[kind]];
  if (from !== 'Selector') return from === 'All';
  // The API server puts this label on every namespace; manifests read from files do not carry it.
  const labels = { ...namespaces.get(namespace), 'kubernetes.io/metadata.name': namespace };
  return selector !== undefined && selects(selector, labels);
}
