// Finds the API server the way kubectl does.
import type { Connection, Environment } from './connection.ts';
import { inClusterConnection } from './in-cluster.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * As kubectl looks for one: KUBECONFIG, then the service account of the pod, then `~/.kube/config`.
 * PORTCULLIS_SERVICE_ACCOUNT_DIR names another folder with `token`, `ca.crt` and `namespace`.
 * @param now milliseconds of a clock that never goes back
 * @throws {Error} when there is none, saying what was looked for; or when a file cannot be read
 */
export async function openConnection(environment: Environment, now: () => number): Promise<Connection> {
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST, HOME } = environment;
  if (KUBECONFIG === undefined || KUBECONFIG === '') {
    if (KUBERNETES_SERVICE_HOST !== undefined && KUBERNETES_SERVICE_HOST !== '') {
      const folder = environment['PORTCULLIS_SERVICE_ACCOUNT_DIR'] ?? SERVICE_ACCOUNT;
      return inClusterConnection(environment, folder, now);
    }
    if (HOME === undefined || HOME === '') {
      throw new Error('no API server: set KUBECONFIG, or run in a pod with a service account');
    }
  }
  // A pod never gets here and does not pay for the package: see kubeconfig.ts.
  const { kubeconfigConnection } = await import('./kubeconfig.ts');
  return kubeconfigConnection(KUBECONFIG || `${HOME}/.kube/config`, now);
}
