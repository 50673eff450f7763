// Carries out what the plan asks for, in the background and a few keys at a time: a round of the operator never waits for a mint. Holds the
// values that nobody has yet; a value that is lost with this process was never good for anybody and is made anew.
import { binarySearch } from './binary-search.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import { perform, type EffectOptions } from './effects.ts';
import type { KeyAction } from './judge.ts';
import type { KeyMemory, KeyRecord } from './memory.ts';
import { keyUid, target } from './output-secret.ts';
import type { KeyPlan } from './plan.ts';
import { ForeignSecretError } from './secret-write.ts';
import { StaleError } from './stored-write.ts';

export interface KeyMinterOptions extends EffectOptions {
  readonly log: {
    readonly info: (context: object, text: string) => void;
    readonly warn: (context: object, text: string) => void;
  };
  /** Something changed that the caches may not show: plan again soon. */
  readonly onChange: () => void;
  /** Keys worked on at the same time; 8 when left out. */
  readonly concurrency?: number;
  /** Longest wait for pods that do not report what they have loaded, in milliseconds; 30,000 when left out. */
  readonly patience?: number;
}

const RETRY = { first: 1_000, most: 300_000 };

export class KeyMinter {
  readonly #options: KeyMinterOptions;
  readonly #records = new Map<string, KeyRecord>();
  readonly #running = new Map<string, Promise<void>>();
  /** Sequence that every ready pod of a Gateway has; undefined when it has no ready pod. */
  readonly #reached = new Map<string, number | undefined>();
  /** Values whose pods are waited for. */
  readonly #waiting = new Map<string, KeyAction>();
  /** Values whose pods have been waited for. */
  #ready: KeyAction[] = [];
  #queue: readonly KeyAction[] = [];
  #next = 0;
  #stopped = false;

  constructor(options: KeyMinterOptions) {
    this.#options = options;
  }

  /** What planning needs to know beyond the caches. */
  get memory(): KeyMemory {
    return this.#records;
  }

  /** When something that failed or waits is to be looked at again, in milliseconds since 1970. */
  get wakeAt(): number | undefined {
    const now = this.#options.now();
    let earliest = Infinity;
    for (const { notBefore, value, published } of this.#records.values()) {
      if (notBefore !== undefined && notBefore > now) earliest = Math.min(earliest, notBefore);
      if (value !== undefined && published !== undefined) {
        const overdue = published.at + this.#patience;
        if (overdue > now) earliest = Math.min(earliest, overdue);
      }
    }
    return earliest === Infinity ? undefined : earliest;
  }

  /** Takes over what a plan asks for, in place of everything that an earlier one asked for and is not begun. */
  offer({ actions, unsettled }: KeyPlan): void {
    if (this.#stopped) return;
    const now = this.#options.now();
    for (const [uid, { notBefore = 0 }] of this.#records) {
      if (!unsettled.has(uid) && notBefore <= now && !this.#running.has(uid)) this.#records.delete(uid);
    }
    this.#waiting.clear();
    this.#ready = [];
    this.#queue = actions;
    this.#next = 0;
    this.#pump();
  }

  /**
   * Tells what stands in a publication.
   * @param gateway `namespace/name`
   * @param keys sorted by hash
   */
  published(gateway: string, sequence: number, keys: readonly KeyEntry[]): void {
    for (const [uid, record] of this.#records) {
      const hash = record.stored?.credential?.hash;
      if (record.value === undefined || record.gateway !== gateway || hash === undefined) continue;
      if (record.published !== undefined || !binarySearch(keys, hash)) continue;
      this.#records.set(uid, { ...record, published: { sequence, at: this.#options.now() } });
    }
    this.#release();
  }

  /**
   * Tells what the pods of a Gateway have loaded.
   * @param gateway `namespace/name`
   * @param sequence undefined when there is no ready pod, so that there is nobody to wait for
   */
  reached(gateway: string, sequence: number | undefined): void {
    this.#reached.set(gateway, sequence);
    this.#release();
  }

  /** Forgets a Gateway that is gone. @param gateway `namespace/name` */
  forgetGateway(gateway: string): void {
    this.#reached.delete(gateway);
  }

  /** Takes note of Secrets that changed by another hand. Creation tells nothing: that is what a cache that fills looks like. */
  secretChanged(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const uid = before === undefined ? undefined : (keyUid(before) ?? (after && keyUid(after)));
    if (uid === undefined) return;
    const record = this.#records.get(uid) ?? {};
    if (after === undefined) this.#records.set(uid, { ...record, written: undefined, suspect: undefined });
    else if (after.metadata.resourceVersion !== record.written?.version) {
      this.#records.set(uid, { ...record, suspect: after.metadata.resourceVersion });
    }
  }

  /** Resolves when nothing is being done. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Begins nothing more and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue = [];
    this.#ready = [];
    this.#waiting.clear();
    await this.idle();
  }

  get #patience(): number {
    return this.#options.patience ?? 30_000;
  }

  /** Deliveries that need not wait for pods any longer go before everything else. */
  #release(): void {
    for (const [uid, action] of this.#waiting) {
      if (!this.#mayDeliver(this.#records.get(uid))) continue;
      this.#waiting.delete(uid);
      this.#ready.push(action);
    }
    this.#pump();
  }

  #pump(): void {
    const now = this.#options.now();
    while (this.#running.size < (this.#options.concurrency ?? 8)) {
      const action = this.#ready.shift() ?? this.#queue[this.#next++];
      if (action === undefined) return;
      const { uid } = action.key;
      const record = this.#records.get(uid);
      if (this.#running.has(uid) || (record?.notBefore ?? 0) > now) continue;
      if (action.kind === 'deliver' && !this.#mayDeliver(record)) this.#waiting.set(uid, action);
      else this.#start(uid, action);
    }
  }

  /** Every ready pod knows the hash, there is none, or they have been waited for long enough. */
  #mayDeliver(record: KeyRecord | undefined): boolean {
    if (record?.published === undefined || record.gateway === undefined) return false;
    const { sequence, at } = record.published;
    if (this.#options.now() >= at + this.#patience) return true;
    if (!this.#reached.has(record.gateway)) return false;
    const reached = this.#reached.get(record.gateway);
    return reached === undefined || reached >= sequence;
  }

  #start(uid: string, action: KeyAction): void {
    if (this.#running.has(uid)) return;
    this.#running.set(
      uid,
      this.#run(uid, action).finally(() => {
        this.#running.delete(uid);
        this.#options.onChange();
        this.#pump();
      }),
    );
  }

  async #run(uid: string, action: KeyAction): Promise<void> {
    try {
      const outcome = await perform(action, this.#records.get(uid) ?? {}, this.#options);
      this.#remember(uid, { failures: 0, notBefore: undefined, ...outcome });
      this.#tell(action, outcome);
    } catch (error) {
      this.#failed(uid, action, error);
    }
  }

  #remember(uid: string, news: KeyRecord): void {
    const record = { ...this.#records.get(uid), ...news };
    // The event of our own write may have come before the answer to it.
    const own = record.suspect !== undefined && record.suspect === record.written?.version;
    this.#records.set(uid, own ? { ...record, suspect: undefined } : record);
  }

  #failed(uid: string, { kind, key }: KeyAction, error: unknown): void {
    const failures = (this.#records.get(uid)?.failures ?? 0) + 1;
    const wait = Math.min(RETRY.first * 2 ** (failures - 1), RETRY.most);
    const fault =
      error instanceof ForeignSecretError
        ? { fault: { reason: 'SecretConflict', message: foreign(target(key).name) } as const }
        : {};
    this.#remember(uid, { ...fault, failures, notBefore: this.#options.now() + wait });
    if (error instanceof StaleError) return;
    this.#options.log.warn(
      { key: key.id, step: kind, error: (error as Error).message, retryMs: wait },
      'a key has to wait',
    );
  }

  #tell(action: KeyAction, { stored }: KeyRecord): void {
    if (action.kind !== 'mint' && action.kind !== 'deliver') return;
    const { key } = action;
    const { serial, prefix } = stored?.credential ?? {};
    const reason = action.kind === 'mint' ? { reason: action.reason } : {};
    const text = action.kind === 'mint' ? 'a key value was made' : 'a key value was written to its Secret';
    this.#options.log.info({ key: key.id, secret: key.secret, serial, prefix, ...reason }, text);
  }
}

const foreign = (name: string): string =>
  `Secret ${name} exists and was not made for this key, so it is left alone; delete it or set another spec.credential.generated.secretName`;
