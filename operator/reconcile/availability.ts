// Whether a Gateway's Deployment serves, in words for its Ready condition.
import type { Deployment } from '#shared/kube/types.ts';
import type { Verdict } from '../status/verdict.ts';

/** Undefined while there is no Deployment, or none whose state is known for what was last written. */
export function availability(deployment: Deployment | undefined): Verdict | undefined {
  if (deployment?.status === undefined) return undefined;
  if ((deployment.status.observedGeneration ?? 0) < (deployment.metadata.generation ?? 0)) return undefined;
  const condition = deployment.status.conditions?.find(({ type }) => type === 'Available');
  if (condition === undefined) return undefined;
  const progressing = deployment.status.conditions?.find(({ type }) => type === 'Progressing');
  const stuck = progressing?.status === 'False' ? progressing : undefined;
  return {
    status: condition.status as Verdict['status'],
    reason: (stuck ?? condition).reason ?? 'Deployment',
    message: `Deployment ${deployment.metadata.name}: ${(stuck ?? condition).message ?? 'no message'}`,
  };
}
