// Objects edited at random under load, as gateway-api-bench does it: from the moment an edit is applied, every replica is asked about it until it
// obeys; after the object says Programmed, an answer that is not the new one is wrong. A flood of other calls must never see anything but what
// held when they began or was applied since.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import type { Installation } from '../installation.ts';
import { isProgrammed, type ConditionsOf } from '../programmed.ts';
import {
  DISPUTED,
  gatewayManifest,
  keyManifest,
  PLAIN,
  policyManifest,
  right,
  upstreamManifest,
  valueOf,
  valuesManifest,
  type ChurnKey,
  type ChurnPolicy,
} from './population.ts';

export interface ChurnPlan {
  readonly keys: number;
  readonly policies: number;
  readonly replicas: number;
  /** Edits that run side by side. */
  readonly editors: number;
  /** Connections that ask without pause between answers of this many milliseconds. */
  readonly flood: { readonly connections: number; readonly pauseMs: number };
  readonly durationMs: number;
}

export interface ChurnReport {
  /** Milliseconds from the answer to `apply` until every replica obeys, by kind of edit. */
  readonly enforced: Readonly<Record<Edit, readonly number[]>>;
  /** Milliseconds from the answer to `apply` until the object says Programmed. */
  readonly programmed: readonly number[];
  /** Answers that were wrong, in words. */
  readonly wrong: readonly string[];
  readonly calls: number;
}

export type Edit = 'policy' | 'disable' | 'enable' | 'revoke' | 'create';

const MANAGER = 'churn';
const PROBE_MS = 10;
/** An edit that is not obeyed by then never will be. */
const GIVE_UP_MS = 30_000;
const PORT = 8080;

export class Churn {
  readonly #installation: Installation;
  readonly #plan: ChurnPlan;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #keys: ChurnKey[];
  readonly #policies: ChurnPolicy[];
  /** Keys and policies somebody is editing. */
  readonly #busy = new Set<object>();
  readonly #wrong: string[] = [];
  readonly #enforced: Record<Edit, number[]> = { policy: [], disable: [], enable: [], revoke: [], create: [] };
  readonly #programmed: number[] = [];
  #calls = 0;
  #created = 0;

  constructor(installation: Installation, plan: ChurnPlan) {
    this.#installation = installation;
    this.#plan = plan;
    this.#policies = Array.from({ length: plan.policies }, (_, team) => ({ team, opus: 'allowed' }));
    this.#keys = Array.from({ length: plan.keys }, (_, i) => ({
      name: `key-${i}`,
      team: i % plan.policies,
      state: 'Active',
    }));
  }

  /** Makes everything and waits until all of it is in force. */
  async populate(): Promise<void> {
    const { namespace, mock } = this.#installation;
    const names = [
      ...this.#keys.map(({ name }) => name),
      ...Array.from({ length: this.#plan.keys }, (_, i) => `new-${i}`),
    ];
    await this.#apply(RESOURCE.Secret, valuesManifest(namespace, names));
    await this.#apply(RESOURCE.Secret, {
      metadata: { name: 'anthropic', namespace },
      data: { token: Buffer.from('sk-ant-churn').toString('base64') },
    } as KubeObject);
    await this.#apply(RESOURCE.Gateway, gatewayManifest(namespace, this.#plan.replicas));
    await this.#apply(RESOURCE.Upstream, upstreamManifest(namespace, mock.url));
    await inParallel(this.#policies, 8, (policy) => this.#apply(RESOURCE.Policy, policyManifest(namespace, policy)));
    await inParallel(this.#keys, 16, (key) => this.#apply(RESOURCE.VirtualKey, keyManifest(namespace, key)));
    const deadline = performance.now() + 240_000;
    for (;;) {
      const { items } = await this.#installation.plane.admin.list<KubeObject & { status?: ConditionsOf }>(
        RESOURCE.VirtualKey,
        { namespace },
        {},
      );
      const waiting = items.filter((item) => !isProgrammed(item)).length;
      if (waiting === 0 && this.#installation.ready().length === this.#plan.replicas) return;
      if (performance.now() > deadline) {
        throw new Error(`${waiting} keys are not Programmed, ${this.#installation.ready().length} pods are ready`);
      }
      await sleep(500);
    }
  }

  async run(): Promise<ChurnReport> {
    const over = performance.now() + this.#plan.durationMs;
    const { connections } = this.#plan.flood;
    await Promise.all([
      ...Array.from({ length: this.#plan.editors }, () => this.#editUntil(over)),
      ...Array.from({ length: connections }, () => this.#floodUntil(over)),
    ]);
    this.#agent.destroy();
    return { enforced: this.#enforced, programmed: this.#programmed, wrong: this.#wrong, calls: this.#calls };
  }

  async #editUntil(over: number): Promise<void> {
    while (performance.now() < over) {
      const choice = Math.random();
      if (choice < 0.3) await this.#editPolicy();
      else if (choice < 0.45) await this.#createKey();
      else await this.#editKey();
    }
  }

  async #editPolicy(): Promise<void> {
    const policy = this.#take(this.#policies);
    const key = this.#take(this.#keys.filter(({ team, state }) => team === policy?.team && state === 'Active'));
    if (policy !== undefined && key !== undefined) {
      const next: ChurnPolicy = { ...policy, opus: policy.opus === 'allowed' ? 'denied' : 'allowed' };
      const manifest = policyManifest(this.#installation.namespace, next);
      await this.#edit('policy', RESOURCE.Policy, manifest, key.name, right(key, next, DISPUTED));
      policy.opus = next.opus;
    }
    this.#give(policy, key);
  }

  async #editKey(): Promise<void> {
    // Few keys are disabled at a time: without a preference hardly one would be enabled again.
    const disabled =
      Math.random() < 0.3 ? this.#take(this.#keys.filter(({ state }) => state === 'Disabled')) : undefined;
    const key = disabled ?? this.#take(this.#keys.filter(({ state }) => state !== 'Revoked'));
    if (key === undefined) return;
    const state = key.state === 'Disabled' ? 'Active' : Math.random() < 0.4 ? 'Revoked' : 'Disabled';
    const edit: Edit = state === 'Active' ? 'enable' : state === 'Disabled' ? 'disable' : 'revoke';
    const manifest = keyManifest(this.#installation.namespace, { ...key, state });
    await this.#edit(
      edit,
      RESOURCE.VirtualKey,
      manifest,
      key.name,
      right({ state }, { opus: 'allowed' }, PLAIN),
      PLAIN,
    );
    key.state = state;
    this.#give(key);
  }

  async #createKey(): Promise<void> {
    const i = this.#created++;
    if (i >= this.#plan.keys) return;
    const key: ChurnKey = { name: `new-${i}`, team: i % this.#plan.policies, state: 'Active' };
    await this.#edit(
      'create',
      RESOURCE.VirtualKey,
      keyManifest(this.#installation.namespace, key),
      key.name,
      200,
      PLAIN,
    );
    this.#keys.push(key);
  }

  /** Applies and asks every replica until it obeys, and once more when the object says Programmed. */
  async #edit(
    edit: Edit,
    type: ResourceType,
    manifest: KubeObject & object,
    key: string,
    expected: number,
    model = DISPUTED,
  ): Promise<void> {
    const { metadata } = await this.#apply(type, manifest);
    const applied = performance.now();
    const what = `${edit} ${metadata.name} generation ${metadata.generation}`;
    const obeyed = this.#installation.ready().map(async ({ address, name }) => {
      for (;;) {
        const got = await this.#ask(address, key, model);
        if (got === expected) return performance.now() - applied;
        if (performance.now() - applied > GIVE_UP_MS) {
          this.#wrong.push(`${what}: ${name} still answers ${got}, not ${expected}`);
          return GIVE_UP_MS;
        }
        await sleep(PROBE_MS);
      }
    });
    const isRight = async (): Promise<void> => {
      const after = await this.#untilProgrammed(type, metadata, applied);
      if (after === undefined) {
        this.#wrong.push(`${what}: never Programmed`);
        return;
      }
      this.#programmed.push(after);
      for (const { address, name } of this.#installation.ready()) {
        const got = await this.#ask(address, key, model);
        if (got !== expected) this.#wrong.push(`${what}: ${name} answers ${got}, not ${expected}, after Programmed`);
      }
    };
    const programmed = isRight();
    const times = await Promise.all(obeyed);
    this.#enforced[edit].push(Math.max(...times));
    await programmed;
  }

  async #untilProgrammed(
    type: ResourceType,
    metadata: KubeObject['metadata'],
    applied: number,
  ): Promise<number | undefined> {
    while (performance.now() - applied < GIVE_UP_MS) {
      const object = await this.#installation.plane.admin.get<KubeObject & { status?: ConditionsOf }>(type, metadata);
      if (isProgrammed(object)) return performance.now() - applied;
      await sleep(50);
    }
    return undefined;
  }

  /** Asks with keys that nobody is editing: one answer is right. */
  async #floodUntil(over: number): Promise<void> {
    while (performance.now() < over) {
      const pods = this.#installation.ready();
      const pod = pods[Math.floor(Math.random() * pods.length)];
      const key = this.#keys[Math.floor(Math.random() * this.#keys.length)]!;
      if (pod !== undefined && !this.#busy.has(key)) {
        const before = right(key, { opus: 'allowed' }, PLAIN);
        const got = await this.#ask(pod.address, key.name, PLAIN);
        const after = right(key, { opus: 'allowed' }, PLAIN);
        if (!this.#busy.has(key) && before === after && got !== before) {
          this.#wrong.push(`flood: ${pod.name} answers ${got} to ${key.name} (${key.state}), not ${before}`);
        }
      }
      await sleep(this.#plan.flood.pauseMs);
    }
  }

  #take<T extends object>(from: readonly T[]): T | undefined {
    const free = from.filter((each) => !this.#busy.has(each));
    const taken = free[Math.floor(Math.random() * free.length)];
    if (taken !== undefined) this.#busy.add(taken);
    return taken;
  }

  #give(...taken: (object | undefined)[]): void {
    for (const each of taken) if (each !== undefined) this.#busy.delete(each);
  }

  #apply(type: ResourceType, manifest: KubeObject & object): Promise<KubeObject> {
    return this.#installation.plane.admin.apply(type, manifest, { fieldManager: MANAGER });
  }

  /** @returns the HTTP status; 0 when there was no answer */
  #ask(address: string, key: string, model: string): Promise<number> {
    this.#calls++;
    return new Promise((resolve) => {
      const sent = request(`http://${address}:${PORT}/v1/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${valueOf(key)}`, 'content-type': 'application/json' },
        agent: this.#agent,
      });
      sent
        .once('error', () => resolve(0))
        .once('response', (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0));
        });
      sent.end(JSON.stringify({ model, max_tokens: 1, messages: [] }));
    });
  }
}

async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}
