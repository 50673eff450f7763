// Kubernetes Events (events.k8s.io/v1) about objects, for `kubectl describe` and collectors. A courtesy: recording never waits, never throws, and
// what cannot be sent is dropped and logged.
import { isApiError, type KubeClient } from '#shared/kube/client.ts';
import { microTime } from '#shared/kube/micro-time.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import type { KubeEvent } from '#shared/kube/types.ts';
import { EventLimits, Recent, type EventWords } from './event-limits.ts';

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'patch'>;
  /** Such as `portcullis.dev/operator`. */
  readonly controller: string;
  /** Which of the replicas, such as the pod's name. */
  readonly instance: string;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** From 0 up to 1; makes names differ. */
  readonly random: () => number;
  readonly log: { readonly warn: (context: object, text: string) => void };
}

interface Sent {
  readonly namespace: string;
  readonly name: string;
  count: number;
  at: number;
}

interface Pending {
  readonly regarding: KubeObject;
  readonly words: EventWords;
  readonly key: string;
  readonly time: number;
}

/** Bytes; the API server's bounds. */
const MAX_NOTE = 1024;
const MAX_INSTANCE = 128;
/** Longest names are 253; a dot and at most 16 digits follow. */
const MAX_NAME = 230;
const MAX_PENDING = 1_000;
const REMEMBERED = 4096;
/** Events are kept for an hour: one that counts up for longer is begun anew. */
const SERIES_MS = 3_000_000;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #limits: EventLimits;
  readonly #sent = new Recent<Sent>(REMEMBERED);
  readonly #pending: Pending[] = [];
  #sending: Promise<void> | undefined;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#limits = new EventLimits(options.now);
  }

  /** @param regarding the object as read from the API server */
  record(regarding: KubeObject, words: EventWords): void {
    const { kind = '', metadata } = regarding;
    const object = metadata.uid ?? `${kind} ${metadata.namespace}/${metadata.name}`;
    const counted = this.#limits.admit(object, words);
    if (counted === undefined) return;
    if (this.#pending.length >= MAX_PENDING) {
      this.#dropped++;
      return;
    }
    this.#pending.push({
      regarding,
      words: { ...words, note: cut(counted.note, MAX_NOTE) },
      key: counted.key,
      time: this.#options.wallClock(),
    });
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when everything recorded so far was sent or dropped. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      try {
        await this.#send(next);
      } catch (error) {
        const { kind, metadata } = next.regarding;
        const { namespace, name } = metadata;
        const what = { kind, namespace, name, reason: next.words.reason, err: error };
        this.#options.log.warn(what, 'an Event could not be written');
      }
    }
    this.#sending = undefined;
    if (this.#dropped > 0) {
      this.#options.log.warn({ dropped: this.#dropped }, 'more Events than the API server took; the rest was dropped');
      this.#dropped = 0;
    }
  }

  async #send({ regarding, words, key, time }: Pending): Promise<void> {
    const { client, now } = this.#options;
    const known = this.#sent.get(key);
    if (known !== undefined && now() - known.at < SERIES_MS) {
      known.count++;
      const series = { count: known.count, lastObservedTime: microTime(time) };
      try {
        await client.patch(RESOURCE.Event, known, { series });
        return;
      } catch (error) {
        // Gone before its time: begin anew.
        if (!isApiError(error, 404)) throw error;
      }
    }
    const event = this.#event(regarding, words, time);
    const { namespace, name } = event.metadata;
    await client.create<KubeEvent>(RESOURCE.Event, event);
    this.#sent.set(key, { namespace, name, count: 1, at: now() });
  }

  #event({ apiVersion, kind, metadata }: KubeObject, words: EventWords, time: number): KubeEvent {
    const { controller, instance, random } = this.#options;
    const { name, uid, resourceVersion } = metadata;
    const suffix = `${time.toString(16)}${Math.floor(random() * 0x10000).toString(16)}`;
    // Events about objects of the whole cluster stand in `default`.
    const namespace = metadata.namespace === '' ? 'default' : metadata.namespace;
    return {
      metadata: { namespace, name: `${name.slice(0, MAX_NAME)}.${suffix}` },
      eventTime: microTime(time),
      ...words,
      regarding: { apiVersion, kind, namespace: metadata.namespace, name, uid, resourceVersion },
      reportingController: controller,
      reportingInstance: instance.slice(0, MAX_INSTANCE),
    };
  }
}

/** As many whole characters as fit. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  return `${new TextDecoder().decode(Buffer.from(text).subarray(0, bytes - 6)).replace(/\ufffd+$/, '')}…`;
}
