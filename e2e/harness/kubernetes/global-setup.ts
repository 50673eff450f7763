// Once for all files of the project `kubernetes`: a control plane with our four kinds. Test files reach it by shared-control-plane.ts.
import { dirname } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startControlPlane } from './control-plane.ts';
import { applyCrds } from './crds.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder of the shared control plane. */
    controlPlane: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const plane = await startControlPlane();
  try {
    await applyCrds(plane);
  } catch (error) {
    await plane.down();
    throw error;
  }
  project.provide('controlPlane', dirname(plane.kubeconfig));
  return () => plane.down();
}
