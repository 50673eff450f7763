// Objects that stay and are edited: the state of keys, a rotation, a policy, the models of the Gateway, a credential of the provider. The flood
// asks with other keys, whose answers none of this may change.
import { ROTATE_ANNOTATION } from '#shared/kube/labels.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { GATEWAY, MODEL, valueOf } from '../../harness/kubernetes/flood-scene.ts';
import { told } from './answers.ts';
import { write, type Stage } from './stage.ts';

/** Keys of the scene that the flood does not use. */
const KEYS = { first: 8, count: 16 };

/** One edit of each sort; what it leaves behind is edited back by the next. @param serial counts up */
export async function editResidents(stage: Stage, serial: number): Promise<void> {
  const { scene } = stage;
  const { namespace, plane } = scene;
  const odd = serial % 2 === 1;
  const names = Array.from({ length: 4 }, (_, i) => `steady-${KEYS.first + ((serial * 4 + i) % KEYS.count)}`);
  const turns = Math.floor((serial * 4) / KEYS.count) % 2 === 0;
  for (const name of names) {
    await write(stage, () => scene.edit('VirtualKey', name, { state: turns ? 'Disabled' : 'Active' }));
  }
  const mark = { metadata: { annotations: { [ROTATE_ANNOTATION]: `soak-${serial}` } } };
  await write(stage, () => plane.admin.patch(RESOURCE.VirtualKey, { namespace, name: 'made' }, mark));
  await write(stage, () =>
    scene.edit('Policy', 'everyone', { models: { allow: odd ? ['claude-*', 'house-*'] : ['claude-*'] } }),
  );
  await write(stage, () =>
    scene.edit('Gateway', GATEWAY, {
      models: { entries: odd ? [{ id: `claude-house-${serial}`, target: MODEL }] : [] },
    }),
  );
  const data = { token: Buffer.from(`sk-ant-soak-${serial}`).toString('base64') };
  await write(stage, () => plane.admin.patch(RESOURCE.Secret, { namespace, name: 'anthropic' }, { data }));
  for (const name of names) await told(stage, name, async () => valueOf(name), turns ? 403 : 200);
}
