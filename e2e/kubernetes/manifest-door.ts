// The API server as the door for our manifests: what it makes of an object, or why it turns it away.
import type { ControlPlane } from '../harness/kubernetes/control-plane.ts';
import { ApiError } from '#shared/kube/client.ts';
import { API_VERSION, GROUP, kindInfo, VERSION, type Kind } from '#shared/api/kinds.ts';

export interface Verdict {
  /** What the server would store; undefined when it refuses. */
  readonly stored: Stored | undefined;
  /** Everything the server says when it refuses; '' when it accepts. */
  readonly said: string;
}

export interface Stored {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** Strict, as `kubectl apply` asks: what is unknown is refused instead of dropped. */
const STRICT = 'fieldValidation=Strict';
export const TRIAL = `dryRun=All&${STRICT}`;

export function manifest(kind: Kind, name: string, spec: unknown): Readonly<Record<string, unknown>> {
  return { apiVersion: API_VERSION, kind, metadata: { name }, spec };
}

/** Path of the objects of a kind in a namespace. */
export function collection(kind: Kind, namespace: string): string {
  return `/apis/${GROUP}/${VERSION}/namespaces/${namespace}/${kindInfo(kind)?.plural}`;
}

/** Asks what would become of an object. Nothing is stored. */
export function tryCreate({ raw }: ControlPlane, namespace: string, kind: Kind, spec: unknown): Promise<Verdict> {
  return verdict(raw.send('POST', `${collection(kind, namespace)}?${TRIAL}`, manifest(kind, 'tried', spec)));
}

export async function create(
  { raw }: ControlPlane,
  namespace: string,
  kind: Kind,
  name: string,
  spec: unknown,
): Promise<Stored> {
  return (await raw.send('POST', `${collection(kind, namespace)}?${STRICT}`, manifest(kind, name, spec))) as Stored;
}

/** @param call any that answers with an object */
export async function verdict(call: Promise<unknown>): Promise<Verdict> {
  try {
    return { stored: (await call) as Stored, said: '' };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { stored: undefined, said: error.message };
  }
}
