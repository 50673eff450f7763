// Whether an object of the four kinds says that it is in force as it is now.
import type { KubeObject } from '#shared/kube/object.ts';

export interface ConditionsOf {
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly observedGeneration?: number;
  }[];
}

/** Of its current generation. */
export function isProgrammed({ metadata, status }: KubeObject & { readonly status?: ConditionsOf }): boolean {
  const condition = status?.conditions?.find(({ type }) => type === 'Programmed');
  return condition?.status === 'True' && condition.observedGeneration === metadata.generation;
}
