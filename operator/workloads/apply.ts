// Brings the workloads of a Gateway into being by server-side apply: only on difference, repaired when somebody edits them, taken away when
// no longer wanted, and never at the cost of an object that somebody else made.
import { API_VERSION } from '#shared/api/kinds.ts';
import { ApiError, isApiError, type KubeClient, type Reference } from '#shared/kube/client.ts';
import { OPERATOR_MANAGER } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import { digest, INTENT_ANNOTATION, isInSync, ourPart } from './difference.ts';
import { handOverReplicas } from './hand-over-replicas.ts';
import type { GatewayIdentity } from './identity.ts';
import type { Wanted, Workloads } from './render.ts';

/** What is known of an object of the Gateway's namespace; undefined when no object of ours has that name. */
export type Observed = (type: ResourceType, name: string) => KubeObject | undefined;

export interface WorkloadFault {
  /** Such as `Service claude`. */
  readonly object: string;
  /** NameTaken: somebody else's object has the name. Refused: the API server does not take it. Unavailable: no answer. */
  readonly reason: 'NameTaken' | 'Refused' | 'Unavailable';
  /** For people: what to do. */
  readonly message: string;
  /** Whether it may go better without a change of the Gateway. */
  readonly retry: boolean;
}

export interface WorkloadReport {
  /** Objects that were applied, such as `Deployment claude`. */
  readonly written: readonly string[];
  readonly deleted: readonly string[];
  readonly faults: readonly WorkloadFault[];
}

export interface WorkloadWriter {
  /** One fault takes no other object down. Never rejects. Not to be called for one Gateway while a call for it is under way. */
  apply(workloads: Workloads, observed: Observed): Promise<WorkloadReport>;
  /** Drops what is remembered of a Gateway that is gone. */
  forget(gatewayUid: string): void;
}

/** What an API server made of an intent: while the object still says so, there is nothing to do. */
interface Settled {
  readonly intent: string;
  /** Versions of the object that are known to hold the intent or to be about to: a cache may lag behind our own write. */
  readonly versions: ReadonlySet<string | undefined>;
  readonly part: string;
}

class NameTakenError extends Error {}

export function createWorkloadWriter(client: KubeClient): WorkloadWriter {
  const memory = new Map<string, Map<string, Settled>>();

  async function applyOne(
    wanted: Wanted,
    gateway: GatewayIdentity,
    settled: Map<string, Settled>,
    cached: KubeObject | undefined,
  ): Promise<boolean> {
    const { type } = wanted;
    const intent = digest(wanted.object);
    const object = withIntent(wanted.object, intent);
    const key = nameOf(wanted);
    // What is not in the cache may still exist: made a moment ago, or by somebody else.
    const seen = cached ?? (await find(client, type, wanted.object.metadata));
    if (seen !== undefined) {
      refuseForeign(seen, key, gateway);
      if (isInSync(object, seen) || isSettled(settled.get(key), intent, object, seen)) return false;
    }
    if (type === RESOURCE.Deployment && seen !== undefined) await handOverReplicas(client, wanted.object);
    const result = await applyOver(client, type, object, seen);
    settled.set(key, {
      intent,
      versions: new Set([seen?.metadata.resourceVersion, result.metadata.resourceVersion]),
      part: ourPart(object, result),
    });
    return result.metadata.resourceVersion !== seen?.metadata.resourceVersion;
  }

  return {
    async apply({ gateway, objects, absent }, observed) {
      const written: string[] = [];
      const deleted: string[] = [];
      const faults: WorkloadFault[] = [];
      const attempt = async (name: string, done: string[], action: () => Promise<boolean>): Promise<void> => {
        try {
          if (await action()) done.push(name);
        } catch (error) {
          faults.push(faultOf(name, error));
        }
      };
      // First: an autoscaler that goes must not fight the number of replicas that comes.
      for (const { type, name } of absent) {
        const seen = observed(type, name);
        if (seen === undefined || !isOwned(seen, gateway) || seen.metadata.deletionTimestamp !== undefined) continue;
        await attempt(`${type.kind} ${name}`, deleted, async () => {
          await client.delete(type, { namespace: gateway.namespace, name });
          return true;
        });
      }
      // Taken once: what is still written when the Gateway is forgotten must not bring the memory of it back.
      const settled = memory.get(gateway.uid) ?? new Map<string, Settled>();
      memory.set(gateway.uid, settled);
      for (const wanted of objects) {
        const cached = observed(wanted.type, wanted.object.metadata.name);
        await attempt(nameOf(wanted), written, () => applyOne(wanted, gateway, settled, cached));
      }
      return { written, deleted, faults };
    },
    forget: (gatewayUid) => void memory.delete(gatewayUid),
  };
}

/**
 * Lists are merged by key, and a key may be what somebody changed: port 81 by hand and our 8080, both named `http`, are refused together. Then
 * the lists are put back whole first.
 */
async function applyOver(
  client: KubeClient,
  type: ResourceType,
  object: KubeObject,
  seen: KubeObject | undefined,
): Promise<KubeObject> {
  const apply = (): Promise<KubeObject> => client.apply(type, object, { fieldManager: OPERATOR_MANAGER });
  try {
    return await apply();
  } catch (error) {
    if (seen === undefined || !isApiError(error, 422)) throw error;
    const { namespace, name } = object.metadata;
    await client.patch(type, { namespace, name }, object);
    return apply();
  }
}

const nameOf = ({ type, object }: Wanted): string => `${type.kind} ${object.metadata.name}`;

function withIntent(object: KubeObject, intent: string): KubeObject {
  const annotations = { ...object.metadata.annotations, [INTENT_ANNOTATION]: intent };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function isSettled(known: Settled | undefined, intent: string, object: KubeObject, seen: KubeObject): boolean {
  if (known?.intent !== intent) return false;
  return known.versions.has(seen.metadata.resourceVersion) || known.part === ourPart(object, seen);
}

async function find(client: KubeClient, type: ResourceType, at: Reference): Promise<KubeObject | undefined> {
  try {
    return await client.get(type, { namespace: at.namespace, name: at.name });
  } catch (error) {
    if (isApiError(error, 404)) return undefined;
    throw error;
  }
}

function isOwned({ metadata }: KubeObject, { uid }: GatewayIdentity): boolean {
  return metadata.ownerReferences?.some((owner) => owner.controller === true && owner.uid === uid) ?? false;
}

/** @throws {NameTakenError} */
function refuseForeign(seen: KubeObject, name: string, gateway: GatewayIdentity): void {
  if (isOwned(seen, gateway)) return;
  const earlier = seen.metadata.ownerReferences?.some(
    (owner) => owner.apiVersion === API_VERSION && owner.kind === 'Gateway' && owner.name === gateway.name,
  );
  throw new NameTakenError(
    earlier
      ? `${name} belongs to an earlier Gateway of this name and is about to be removed; it is made anew then`
      : `${name} exists and was not made for this Gateway: remove it, or give the Gateway another name`,
  );
}

function faultOf(object: string, error: unknown): WorkloadFault {
  const { message } = error as Error;
  if (error instanceof NameTakenError) return { object, reason: 'NameTaken', message, retry: true };
  if (error instanceof ApiError && error.code < 500 && error.code !== 429) {
    // Invalid stays invalid until the Gateway changes; rights, quotas and conflicts change by themselves.
    return { object, reason: 'Refused', message: `${object}: ${message}`, retry: error.code !== 422 };
  }
  return { object, reason: 'Unavailable', message: `${object}: ${message}`, retry: true };
}
