// The cluster that all files of the project `cluster` share. Import it at the top of a test file; each file makes its own namespaces.
import { afterAll, inject } from 'vitest';
import { attachCluster, type Cluster } from './cluster.ts';

let attached: Promise<Cluster> | undefined;

/** The same for every call of a file. Our four kinds are not there: installing them is what files test. */
export function sharedCluster(): Promise<Cluster> {
  return (attached ??= attachCluster(inject('cluster')));
}

afterAll(async () => {
  await (await attached)?.down();
});
