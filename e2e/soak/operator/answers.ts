// What the pods of the Gateway answer to a key.
import { call } from '../../harness/kubernetes/flood.ts';
import { MODEL, podsOf } from '../../harness/kubernetes/flood-scene.ts';
import { eventually, type Stage } from './stage.ts';

/** Every pod must come to answer a call with the value like this; one that never does is noted as wrong. */
export async function told(
  stage: Stage,
  name: string,
  value: () => Promise<string | undefined>,
  status: number,
): Promise<void> {
  await eventually(stage, async () => {
    const text = await value();
    if (text === undefined) return `${name} has no value`;
    for (const pod of podsOf(stage.scene)) {
      const { status: got } = await call(pod, { value: text, model: MODEL });
      if (got !== status) return `${pod.name} answers ${got} to ${name}, not ${status}`;
    }
    return undefined;
  });
}
