// When an autoscaler takes over, the number of replicas must stay what it is. A field that its only owner no longer applies goes back to its
// default, and one replica under the load of many is an outage; so another name holds the number until the autoscaler writes it.
import { isApiError, type KubeClient } from '#shared/kube/client.ts';
import { OPERATOR_MANAGER } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeMeta, type KubeObject } from '#shared/kube/object.ts';
import type { Deployment } from '#shared/kube/types.ts';

const HOLDER = 'portcullis-operator-scale';

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly fieldsV1?: { readonly 'f:spec'?: Readonly<Record<string, unknown>> };
}

/** @param wanted the Deployment that is about to be applied; does nothing when that names a number of replicas itself */
export async function handOverReplicas(client: KubeClient, wanted: KubeObject): Promise<void> {
  if ((wanted as Deployment).spec?.replicas !== undefined) return;
  const { namespace, name } = wanted.metadata;
  let live: Deployment;
  try {
    live = await client.get<Deployment>(RESOURCE.Deployment, { namespace, name });
  } catch (error) {
    if (isApiError(error, 404)) return;
    throw error;
  }
  const replicas = live.spec?.replicas;
  if (replicas === undefined || !isOurs(live.metadata)) return;
  const held = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { namespace, name }, spec: { replicas } };
  await client.apply(RESOURCE.Deployment, held, { fieldManager: HOLDER });
}

/** Whether the number is ours to give up. */
function isOurs(metadata: KubeMeta & { readonly managedFields?: readonly ManagedFields[] }): boolean {
  return (metadata.managedFields ?? []).some(
    ({ manager, operation, fieldsV1 }) =>
      manager === OPERATOR_MANAGER && operation === 'Apply' && fieldsV1?.['f:spec']?.['f:replicas'] !== undefined,
  );
}
