// Once for all files of the project `cluster`: a cluster of one node. Test files reach it by shared-cluster.ts.
import { dirname } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startCluster } from './cluster.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder of the shared cluster's control plane. */
    cluster: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await startCluster();
  project.provide('cluster', dirname(cluster.plane.kubeconfig));
  return () => cluster.down();
}
