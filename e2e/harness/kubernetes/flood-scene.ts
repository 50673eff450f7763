// What the fault tests flood: a Gateway with three pods, one provider, keys that must be answered, and keys that must not.
import { setTimeout as sleep } from 'node:timers/promises';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { Lease } from '#shared/kube/types.ts';
import { startFlood, type Caller, type Flood } from './flood.ts';
import { ourObjects, unsettled } from './flood-state.ts';
import { install, type Installation, type InstallationOptions, type OperatorProcess } from './installation.ts';
import type { RunningPod } from './mini-kubelet.ts';

export const GATEWAY = 'claude';
export const REPLICAS = 3;
/** Every policy allows it. */
export const MODEL = 'claude-haiku-5-5';
/** The policy denies it. */
const DENIED = 'claude-opus-5-5';
const KEYS = 24;
/** A stream of the mock lasts 6 s. */
const DELTAS = 60;
const GAP_MS = 100;
const LOG_TAIL = 2_000;
/** Seconds a leader's Lease is good for: the shortest that leaves room for a busy machine. */
export const LEASE_SECONDS = 6;

export interface Scene extends Installation {
  readonly flood: Flood;
  /** Names of everything that carried our labels when all had settled at first. */
  readonly made: readonly string[];
  /** Waits until every object, part, Lease and workload, and if asked every figure, is as it should be. @throws {Error} that names what is not */
  settle(options?: { readonly withinMs?: number; readonly figures?: boolean }): Promise<void>;
  /** The operator that holds the Lease; waits for one. */
  leader(): Promise<OperatorProcess>;
  /** Edits a spec by merge patch, as a person would; resolves to the object. */
  edit(kind: 'Gateway' | 'Upstream' | 'Policy' | 'VirtualKey', name: string, spec: object): Promise<KubeObject>;
}

/** Value of an imported key of the scene. */
export const valueOf = (name: string): string => `${name}-0123456789-abcdefghijklmnop-QRSTUV`;

export function podsOf(
  installation: Installation,
  gateway = GATEWAY,
  namespace = installation.namespace,
): RunningPod[] {
  return installation.ready().filter((pod) => pod.namespace === namespace && pod.name.startsWith(`${gateway}-`));
}

const STATES = { plain: 'Active', denied: 'Active', disabled: 'Disabled', revoked: 'Revoked' } as const;
const NAMES = [...Array.from({ length: KEYS }, (_, i) => `steady-${i}`), ...Object.keys(STATES)];

const CALLERS: readonly Caller[] = [
  ...Array.from({ length: 8 }, (_, i) => ({
    name: `steady-${i}`,
    value: valueOf(`steady-${i}`),
    model: MODEL,
    expected: 200,
  })),
  { name: 'denied', value: valueOf('denied'), model: DENIED, expected: 400 },
  { name: 'disabled', value: valueOf('disabled'), model: MODEL, expected: 403 },
  { name: 'revoked', value: valueOf('revoked'), model: MODEL, expected: 401 },
  { name: 'stranger', value: valueOf('stranger'), model: MODEL, expected: 401 },
];

export interface SceneOptions extends InstallationOptions {
  /** Pods of the Gateway; {@link REPLICAS} when left out. */
  readonly replicas?: number;
}

/** Floods the pods that are ready with calls of everybody who has a key, and of some who have none. */
export function floodPods(installation: Installation): Flood {
  return startFlood({ pods: () => podsOf(installation), callers: CALLERS, deltas: DELTAS });
}

/** @param options two operators when left out */
export async function startScene({ replicas = REPLICAS, ...options }: SceneOptions = {}): Promise<Scene> {
  const installation = await install({
    operators: 2,
    ...options,
    environment: { PORTCULLIS_LEASE_SECONDS: String(LEASE_SECONDS), ...options.environment },
    mock: { behave: (request) => answer(request.json()), retain: 300, ...options.mock },
  });
  const { namespace, plane, mock } = installation;
  const settle: Scene['settle'] = async ({ withinMs = 45_000, figures = false } = {}) => {
    const until = performance.now() + withinMs;
    for (;;) {
      const faults = await unsettled(plane, namespace, GATEWAY, podsOf(installation), figures).catch((error: Error) => [
        error.message,
      ]);
      if (faults.length === 0) return;
      if (performance.now() > until) throw new Error(`not settled: ${faults.slice(0, 8).join('; ')}`);
      await sleep(150);
    }
  };
  try {
    await installation.apply(manifest(mock.url, replicas));
    await settle({ withinMs: 90_000, figures: true });
  } catch (error) {
    const logs = installation.operators.map((operator) => `${operator.name}: ${operator.log().slice(-LOG_TAIL)}`);
    await installation.close();
    throw new Error(`${(error as Error).message}\n${logs.join('\n')}`, { cause: error });
  }
  const flood = floodPods(installation);
  return {
    ...installation,
    flood,
    made: await ourObjects(plane),
    settle,
    async leader() {
      for (;;) {
        const at = { namespace: 'portcullis-system', name: 'portcullis-operator' };
        const lease = await plane.admin.get<Lease>(RESOURCE.Lease, at).catch(() => undefined);
        const holder = lease?.spec?.holderIdentity;
        // A Lease outlives the process that held it.
        const operator = installation.operators.find(
          ({ identity, pid }) => pid !== undefined && identity !== undefined && identity === holder,
        );
        if (operator !== undefined) return operator;
        await sleep(100);
      }
    },
    edit: (kind, name, spec) => plane.admin.patch(RESOURCE[kind], { namespace, name }, { spec }),
    async close() {
      await flood.stop();
      await installation.close();
    },
  };
}

/** What the mock is told to do: a stream when one is asked for. */
export function answer(body: Readonly<Record<string, unknown>> | undefined) {
  return body?.['stream'] === true
    ? ({ kind: 'events', count: DELTAS, gapMs: GAP_MS } as const)
    : ({ kind: 'text' } as const);
}

function manifest(upstream: string, replicas: number): string {
  const keys = NAMES.map(
    (name) => `
apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: ${name}}
spec:
  gatewayRef: {name: ${GATEWAY}}
  owner: {type: Service, name: ${name}}
  credential: {type: Imported, imported: {secretRef: {name: values, key: ${name}}}}
  state: ${STATES[name as keyof typeof STATES] ?? 'Active'}
`,
  );
  const values = Object.fromEntries(NAMES.map((name) => [name, valueOf(name)]));
  return `
apiVersion: v1
kind: Secret
metadata: {name: anthropic}
stringData: {token: sk-ant-first}
---
apiVersion: v1
kind: Secret
metadata: {name: values}
stringData: ${JSON.stringify(values)}
---
apiVersion: portcullis.dev/v1alpha1
kind: Gateway
metadata: {name: ${GATEWAY}}
spec: {publicUrl: "http://localhost:8080", environment: prod, deployment: {replicas: ${replicas}}}
---
apiVersion: portcullis.dev/v1alpha1
kind: Upstream
metadata: {name: anthropic}
spec:
  gatewayRef: {name: ${GATEWAY}}
  provider: Anthropic
  baseUrl: ${upstream}
  anthropic: {auth: {type: APIKey, apiKey: {name: anthropic, key: token}}}
---
apiVersion: portcullis.dev/v1alpha1
kind: Policy
metadata: {name: everyone}
spec: {gatewayRef: {name: ${GATEWAY}}, match: {everyone: {}}, models: {allow: ["claude-*"], deny: ["claude-opus-*"]}}
---
apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: made}
spec:
  gatewayRef: {name: ${GATEWAY}}
  owner: {type: Service, name: made}
  credential: {type: Generated, generated: {secretName: made-key}}
---${keys.join('---')}`;
}
