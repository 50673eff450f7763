// Our four kinds on an API server: applied, and waited for until they can be used.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ControlPlane } from './control-plane.ts';

const CRDS = fileURLToPath(new URL('../../../crds', import.meta.url));

/** @throws {Error} with what kubectl says */
export async function applyCrds({ kubectl }: Pick<ControlPlane, 'kubectl'>): Promise<void> {
  // Named one by one: the folder also holds samples, which kubectl would take for more of the same.
  const files = readdirSync(CRDS)
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => ['-f', join(CRDS, name)]);
  for (const args of [
    ['apply', '--server-side', ...files],
    ['wait', '--for=condition=Established', '--timeout=60s', ...files],
  ]) {
    const { code, stderr } = await kubectl(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  }
}
