// The control plane that all files of the project `kubernetes` share, and a namespace of its own for whoever asks. Import it at the top of
// a test file: what it made goes when the file is done.
import { afterAll, inject } from 'vitest';
import { isApiError } from '#shared/kube/client.ts';
import { RESOURCE } from '#shared/kube/object.ts';
import { attachControlPlane, uniqueName, type ControlPlane } from './control-plane.ts';

const ACCOUNT_MS = 10_000;

let attached: Promise<ControlPlane> | undefined;
const namespaces: string[] = [];

/** The same for every call of a file. Our four kinds are there; its components cannot be stopped. */
export function sharedControlPlane(): Promise<ControlPlane> {
  return (attached ??= attachControlPlane(inject('controlPlane')));
}

/**
 * Creates a namespace that no other test uses, ready for pods.
 * @param prefix begins its name, for people who read logs
 */
export async function testNamespace(prefix = 'test', labels: Readonly<Record<string, string>> = {}): Promise<string> {
  const { admin } = await sharedControlPlane();
  const name = uniqueName(prefix);
  await admin.create(RESOURCE.Namespace, { metadata: { name, namespace: '', labels } });
  namespaces.push(name);
  const deadline = performance.now() + ACCOUNT_MS;
  for (;;) {
    try {
      await admin.get(RESOURCE.ServiceAccount, { namespace: name, name: 'default' });
      return name;
    } catch (error) {
      if (!isApiError(error, 404) || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

afterAll(async () => {
  if (attached === undefined) return;
  const plane = await attached;
  await Promise.all(namespaces.map((name) => plane.admin.delete(RESOURCE.Namespace, { namespace: '', name })));
  await plane.down();
});
