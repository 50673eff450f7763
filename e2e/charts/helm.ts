// Charts as Helm renders them, for tests.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#shared/kube/object.ts';
import { binary } from '../harness/kubernetes/binaries.ts';

const run = promisify(execFile);
export const CHARTS = fileURLToPath(new URL('../../charts/', import.meta.url));

export type Chart = 'portcullis' | 'portcullis-crds';

/** The oldest the charts take; what Helm assumes without a cluster differs from one major to the next. */
const KUBE_VERSION = ['--kube-version', '1.30.0'];

/** Both majors are in use. */
export const HELMS = ['helm', 'helm3'] as const;

/** @returns what Helm prints, both streams. @throws when it fails, with what it said */
export async function helm(args: readonly string[], which: (typeof HELMS)[number] = 'helm'): Promise<string> {
  const { stdout, stderr } = await run(binary(which), args, { maxBuffer: 16 * 1024 ** 2 });
  return stdout + stderr;
}

/** @param values files or `--set` arguments @returns the manifest, in the order Helm writes it */
export async function render(chart: Chart, values: readonly string[] = [], which: (typeof HELMS)[number] = 'helm') {
  const { stdout } = await run(
    binary(which),
    ['template', 'portcullis', `${CHARTS}${chart}`, '--namespace', 'portcullis-system', ...KUBE_VERSION, ...values],
    { maxBuffer: 16 * 1024 ** 2 },
  );
  return stdout;
}

/** The objects of a manifest. */
export function objectsOf(manifest: string): KubeObject[] {
  return parseAllDocuments(manifest)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

/** `Kind namespace/name` of each, in order. */
export const namesOf = (manifest: string): string[] =>
  objectsOf(manifest)
    .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)
    .sort();
