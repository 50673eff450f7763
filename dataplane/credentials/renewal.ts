// One credential kept fresh: whoever asks gets it at once while it is good, and all who ask at the moment of its end wait for one refresh.
import { asCredentialError, CredentialError } from './credential-error.ts';
import type { Refreshable, Refresher } from './refresher.ts';
import type { Clock, CredentialState } from './source.ts';

export interface Minted<T> {
  readonly value: T;
  /** Milliseconds since 1970; undefined when it does not end. */
  readonly expiresAt: number | undefined;
}

export interface RenewalOptions<T> {
  /** Gets a credential; gives up when the signal says so. */
  readonly mint: (signal: AbortSignal) => Promise<Minted<T>>;
  readonly refresher: Refresher;
  readonly clock: Clock;
  readonly random: () => number;
  /** Set where credentials are many and may fall out of use: called instead of a refresh when nobody asked since the last one. */
  readonly unused?: () => void;
}

/** On its way to the provider a credential must not run out. */
const MARGIN_MS = 5_000;
/** Refreshes begin a fifth of the lifetime before the end, but not more than this, each at most half as much again earlier. */
const MOST_AHEAD_MS = 300_000;
const AHEAD = 0.2;
const MINT_TIMEOUT_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const MOST_RETRY_MS = 60_000;
/** A provider that rejects every call must not make us ask for a new credential on every call. */
const LEAST_BETWEEN_REJECTIONS_MS = 30_000;

export class Renewal<T> implements Refreshable {
  readonly #options: RenewalOptions<T>;
  #current: Minted<T> | undefined;
  #previous: Minted<T> | undefined;
  #minting: Promise<T> | undefined;
  #dueAt: number | undefined;
  #failures = 0;
  #fault: CredentialError | undefined;
  #retryAt = 0;
  #mintedAt = 0;
  #used = true;
  #closed = false;

  /** Starts at once. */
  constructor(options: RenewalOptions<T>) {
    this.#options = options;
    options.refresher.add(this);
    this.#mint().catch(() => undefined);
  }

  get dueAt(): number | undefined {
    return this.#minting === undefined ? this.#dueAt : undefined;
  }

  /** @returns the credential, or a promise of it that rejects with {@link CredentialError} */
  get(): T | Promise<T> {
    this.#used = true;
    const current = this.#good();
    if (current !== undefined) return current.value;
    if (this.#minting !== undefined) return this.#minting;
    if (this.#closed) return Promise.reject(new CredentialError('closed', 'the credential is no longer configured'));
    if (this.#fault !== undefined && this.#options.clock.now() < this.#retryAt) return Promise.reject(this.#fault);
    return this.#mint();
  }

  /** What is in use or was until lately, to look for it in text that must not hold it. */
  known(): T[] {
    return [this.#current, this.#previous].flatMap((minted) => (minted === undefined ? [] : [minted.value]));
  }

  /** Asks for a new one soon, since the provider rejected this one. It stays in use until the new one is there. */
  rejected(): void {
    if (this.#closed || this.#minting !== undefined || this.#failures > 0) return;
    if (this.#options.clock.now() - this.#mintedAt >= LEAST_BETWEEN_REJECTIONS_MS) this.#mint().catch(() => undefined);
  }

  /** Resolves when the attempt under way has ended, well or badly. */
  async settled(): Promise<void> {
    await this.#minting?.catch(() => undefined);
  }

  async refresh(): Promise<void> {
    if (this.#options.unused !== undefined && !this.#used) {
      this.close();
      this.#options.unused();
      return;
    }
    await this.#mint().catch(() => undefined);
  }

  state(): Omit<CredentialState, 'kind'> {
    const current = this.#good();
    return {
      status:
        current !== undefined
          ? this.#fault === undefined
            ? 'Valid'
            : 'Refreshing'
          : this.#fault === undefined && this.#current === undefined
            ? 'Pending'
            : 'Unusable',
      validUntil: current?.expiresAt,
      fault: this.#fault && { code: this.#fault.code, message: this.#fault.message },
    };
  }

  close(): void {
    this.#closed = true;
    this.#options.refresher.delete(this);
  }

  #good(): Minted<T> | undefined {
    const current = this.#current;
    if (current?.expiresAt === undefined) return current;
    return this.#options.clock.now() < current.expiresAt - MARGIN_MS ? current : undefined;
  }

  #mint(): Promise<T> {
    this.#minting ??= this.#attempt().finally(() => {
      this.#minting = undefined;
      this.#options.refresher.moved(this);
    });
    return this.#minting;
  }

  async #attempt(): Promise<T> {
    this.#used = false;
    try {
      const minted = await this.#inTime();
      this.#accept(minted);
      return minted.value;
    } catch (error) {
      throw this.#failed(asCredentialError(error));
    }
  }

  async #inTime(): Promise<Minted<T>> {
    const { mint, clock } = this.#options;
    const controller = new AbortController();
    let cancel = (): void => undefined;
    const late = new Promise<never>((_resolve, reject) => {
      cancel = clock.after(MINT_TIMEOUT_MS, () => {
        reject(new CredentialError('timed_out', `no credential within ${MINT_TIMEOUT_MS / 1000} s`));
        controller.abort();
      });
    });
    try {
      return await Promise.race([mint(controller.signal), late]);
    } finally {
      cancel();
    }
  }

  #accept(minted: Minted<T>): void {
    const { clock, random } = this.#options;
    const now = clock.now();
    const { expiresAt } = minted;
    if (expiresAt !== undefined && !(expiresAt - MARGIN_MS > now)) {
      throw new CredentialError('expired', 'the credential arrived past its end: check the clock of this machine');
    }
    this.#previous = this.#current;
    this.#current = minted;
    this.#mintedAt = now;
    this.#failures = 0;
    this.#fault = undefined;
    if (expiresAt === undefined) {
      this.#dueAt = undefined;
      return;
    }
    const ahead = Math.min(MOST_AHEAD_MS, (expiresAt - now) * AHEAD) * (1 + random() / 2);
    this.#dueAt = Math.max(now + FIRST_RETRY_MS, expiresAt - ahead);
  }

  #failed(error: CredentialError): CredentialError {
    const { clock, random } = this.#options;
    const wait = Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 16)) * (0.5 + random() / 2);
    this.#failures++;
    this.#fault = error;
    this.#retryAt = clock.now() + wait;
    this.#dueAt = this.#retryAt;
    return error;
  }
}
