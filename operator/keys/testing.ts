// Test support: an API server of VirtualKeys and Secrets in memory, with versions, conflicts, ownership of status members and failures on
// demand, and an operator around it that goes round by round.
import { randomBytes } from 'node:crypto';
import { compile } from '#shared/compile/compile.ts';
import type { CompileOutput } from '#shared/compile/types.ts';
import { ApiError, type ApplyOptions, type KubeClient, type Reference } from '#shared/kube/client.ts';
import { KEYS_MANAGER, type PreviousSecretUse } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject, type ResourceType } from '#shared/kube/object.ts';
import { SecretText } from '#shared/secret-text.ts';
import { KeyGateways } from './gateways.ts';
import { KeyMinter } from './mint.ts';
import type { SecretObject } from './output-secret.ts';
import { planKeys, type KeyPlan } from './plan.ts';
import type { VirtualKeyObject } from './view.ts';

type Stored = KubeObject & { spec?: unknown; status?: Record<string, unknown>; data?: Record<string, string> };
type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Editable = Mutable<Omit<Stored, 'metadata'>> & { metadata: Mutable<KubeObject['metadata']> };

export const PEPPER = new SecretText('a pepper for tests of at least thirty-two bytes');
export const GATEWAY = { key: 'infra/gw', namespace: 'infra', name: 'gw' };

/** What goes wrong with a write: it is lost on its way, or its answer is. */
export type Failure = 'lost' | 'unanswered';

export class FakeServer {
  readonly objects = new Map<string, Stored>();
  /** Called after every write. */
  afterWrite: () => void = () => undefined;
  /** Asked before every write. */
  failure: (write: number) => Failure | undefined = () => undefined;
  writes = 0;
  #version = 0;

  readonly client = {
    get: async (type: ResourceType, at: Reference) => this.#get(type, at),
    create: async (type: ResourceType, object: KubeObject) => this.#write(() => this.#create(type, object as Stored)),
    patch: async (type: ResourceType, at: Reference, patch: object) => this.#write(() => this.#patch(type, at, patch)),
    apply: async (_: ResourceType, object: KubeObject, options: ApplyOptions) =>
      this.#write(() => this.#applyStatus(object as Stored, options)),
  } as unknown as KubeClient;

  secret(id: string): SecretObject | undefined {
    return this.objects.get(`secrets ${id}`);
  }

  token(id: string): string | undefined {
    const data = this.secret(id)?.data?.['token'];
    return data === undefined ? undefined : Buffer.from(data, 'base64').toString();
  }

  key(id: string): VirtualKeyObject | undefined {
    return this.objects.get(`virtualkeys ${id}`);
  }

  /** What a person does: no failure, no conflict, a new version. */
  put(type: ResourceType, object: Stored): void {
    const { namespace, name } = object.metadata;
    const id = `${type.plural} ${namespace}/${name}`;
    const before = this.objects.get(id);
    const uid = object.metadata.uid ?? before?.metadata.uid ?? `uid-${++this.#version}`;
    const generation = (before?.metadata.generation ?? 0) + 1;
    this.#store(id, { ...object, metadata: { ...object.metadata, uid, generation } });
  }

  /** Changes an object in place, as `kubectl edit` does. */
  edit(type: ResourceType, id: string, change: (object: Editable) => void): void {
    const object = structuredClone(this.objects.get(`${type.plural} ${id}`));
    if (object === undefined) return;
    change(object);
    this.put(type, object);
  }

  remove(type: ResourceType, id: string): void {
    this.objects.delete(`${type.plural} ${id}`);
  }

  of(type: ResourceType): Stored[] {
    return [...this.objects].filter(([id]) => id.startsWith(`${type.plural} `)).map(([, object]) => object);
  }

  async #write<T>(write: () => T): Promise<T> {
    const failure = this.failure(this.writes++);
    if (failure === 'lost') throw new Error('connection reset before the request was sent');
    const result = write();
    this.afterWrite();
    if (failure === 'unanswered') throw new Error('connection reset before the answer came');
    return result;
  }

  #get(type: ResourceType, { namespace, name }: Reference): Stored {
    const found = this.objects.get(`${type.plural} ${namespace}/${name}`);
    if (found === undefined) throw new ApiError(404, 'NotFound', `${type.plural} "${name}" not found`);
    return found;
  }

  #create(type: ResourceType, object: Stored): Stored {
    const { namespace, name } = object.metadata;
    const id = `${type.plural} ${namespace}/${name}`;
    if (this.objects.has(id)) throw new ApiError(409, 'AlreadyExists', `${type.plural} "${name}" already exists`);
    return this.#store(id, { ...object, metadata: { ...object.metadata, uid: `uid-${++this.#version}` } });
  }

  #patch(type: ResourceType, at: Reference, patch: object): Stored {
    const before = this.#get(type, at);
    const wanted = (patch as Partial<Stored>).metadata?.resourceVersion;
    if (wanted !== undefined && wanted !== before.metadata.resourceVersion)
      throw new ApiError(409, 'Conflict', 'conflict');
    return this.#store(`${type.plural} ${at.namespace}/${at.name}`, merge(before, patch) as Stored);
  }

  /** One manager owns credential and previous: what it leaves out is taken away. */
  #applyStatus({ metadata, status }: Stored, { fieldManager, subresource }: ApplyOptions): Stored {
    if (fieldManager !== KEYS_MANAGER || subresource !== 'status') throw new Error('not how keys are written');
    const before = this.#get(RESOURCE.VirtualKey, metadata);
    const { resourceVersion, uid } = metadata;
    const same = resourceVersion === before.metadata.resourceVersion && uid === before.metadata.uid;
    if (!same) throw new ApiError(409, 'Conflict', 'conflict');
    const { credential: _, previous: __, ...others } = before.status ?? {};
    return this.#store(`virtualkeys ${metadata.namespace}/${metadata.name}`, {
      ...before,
      status: JSON.parse(JSON.stringify({ ...others, ...status })) as Record<string, unknown>,
    });
  }

  #store(id: string, object: Stored): Stored {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.objects.set(id, stored);
    return stored;
  }
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result = { ...(target as Record<string, unknown>) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (value !== undefined) result[name] = merge(result[name], value);
  }
  return result;
}

export interface OperatorOptions {
  readonly server: FakeServer;
  readonly now: () => number;
  /** Whether pods take what is published at once. */
  readonly pods?: boolean;
  readonly publicUrl?: () => string;
}

/** An operator that reads the server as it is in each round, compiles and publishes. */
export class FakeOperator {
  readonly minter: KeyMinter;
  readonly #options: OperatorOptions;
  readonly use = new Map<string, PreviousSecretUse[]>();
  readonly logged: string[] = [];
  gateway: { spec: Record<string, unknown>; pepper: SecretText } = {
    spec: { publicUrl: 'https://gw.corp' },
    pepper: PEPPER,
  };
  sequence = 0;
  plan: KeyPlan | undefined;
  compiled: CompileOutput | undefined;
  #secrets = new Map<string, SecretObject>();

  constructor(options: OperatorOptions) {
    this.#options = options;
    const log = (context: object, text: string) => void this.logged.push(`${text} ${JSON.stringify(context)}`);
    const { server, now } = options;
    this.minter = new KeyMinter({
      client: server.client,
      now,
      randomBytes: (size) => randomBytes(size),
      log: { info: log, warn: log },
      onChange: () => undefined,
    });
  }

  get object() {
    return {
      kind: 'Gateway',
      metadata: { namespace: GATEWAY.namespace, name: GATEWAY.name, uid: 'uid-gateway' },
      spec: { allowedNamespaces: { virtualKeys: { from: 'All' } }, ...this.gateway.spec },
    };
  }

  /** What the caches say now. */
  think(): KeyPlan {
    const { server, now } = this.#options;
    const peppers = new Map([[GATEWAY.key, this.gateway.pepper]]);
    this.plan = planKeys({
      virtualKeys: server.of(RESOURCE.VirtualKey),
      secrets: { get: (id) => metadataOf(server.secret(id)) },
      gateways: new KeyGateways([this.object], new Map(), peppers),
      previousUse: this.use,
      memory: this.minter.memory,
      now: now(),
    });
    return this.plan;
  }

  /** One round, until everything that was begun has ended. */
  async round(): Promise<KeyPlan> {
    this.#watchSecrets();
    const plan = this.think();
    this.minter.offer(plan);
    this.publish(plan);
    await this.minter.idle();
    return plan;
  }

  publish(plan: KeyPlan): void {
    const { server, pods = true } = this.#options;
    this.compiled = compile({
      objects: [this.object, ...server.of(RESOURCE.VirtualKey).map((key) => ({ ...key, kind: 'VirtualKey' }))] as never,
      secrets: new Map(),
      namespaces: new Map(),
      peppers: new Map([[GATEWAY.key, this.gateway.pepper]]),
      tombstones: new Map(),
      credentials: plan.credentials,
    });
    this.sequence++;
    this.minter.published(GATEWAY.key, this.sequence, this.entries);
    if (pods) this.minter.reached(GATEWAY.key, this.sequence);
  }

  get entries() {
    return this.compiled?.gateways.get(GATEWAY.key)?.keys ?? [];
  }

  /** Rounds until nothing is left to do, at most twelve. */
  async settle(): Promise<KeyPlan> {
    for (let round = 0; round < 12; round++) {
      const before = this.#options.server.writes;
      await this.round();
      if (this.#options.server.writes === before && this.think().actions.length === 0) break;
    }
    this.publish(this.think());
    return this.plan!;
  }

  /** Secret events since the last round, as a watch would tell them. */
  #watchSecrets(): void {
    const now = new Map(
      this.#options.server.of(RESOURCE.Secret).map((secret) => [secret.metadata.name, secret as SecretObject]),
    );
    for (const name of new Set([...this.#secrets.keys(), ...now.keys()])) {
      const [before, after] = [this.#secrets.get(name), now.get(name)];
      if (before !== after) this.minter.secretChanged(metadataOf(before), metadataOf(after));
    }
    this.#secrets = now;
  }
}

const metadataCache = new WeakMap<SecretObject, KubeObject>();

/** As the cache of the operator holds Secrets: owners only of those with our labels. */
export function metadataOf(secret: SecretObject | undefined): KubeObject | undefined {
  if (secret === undefined) return undefined;
  let slim = metadataCache.get(secret);
  if (slim === undefined) {
    const { ownerReferences, ...metadata } = secret.metadata;
    const labelled = metadata.labels?.['portcullis.dev/role'] !== undefined;
    slim = { metadata: labelled ? { ...metadata, ownerReferences: ownerReferences ?? [] } : metadata };
    metadataCache.set(secret, slim);
  }
  return slim;
}

export const virtualKey = (name: string, spec: Record<string, unknown> = {}, metadata: object = {}): Stored => ({
  metadata: { namespace: 'team', name, creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
  spec: {
    gatewayRef: { name: GATEWAY.name, namespace: GATEWAY.namespace },
    owner: { type: 'Service', name },
    credential: { type: 'Generated', generated: { secretName: `${name}-key` } },
    ...spec,
  },
});
