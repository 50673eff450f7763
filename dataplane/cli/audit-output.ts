// Audit records on their way to a file descriptor, many at a time. Calls never wait for whoever reads them: what a slow reader leaves no
// room for is lost, counted and told.
import pino from 'pino';
import type { AuditSink } from '../meter/audit.ts';

/** Characters of records that leave together. A system call for each would cost more than the record. */
const BATCH_CHARS = 32 * 1024;
/** How long a record may wait for others, in milliseconds. */
const LINGER_MS = 100;
/** Bytes that may wait for a reader that is slow. */
const MAX_WAITING = 64 * 1024 * 1024;
/** Losses go on for as long as their cause does: one line a minute is enough. */
const TELL_EVERY_MS = 60_000;

export interface AuditOutputOptions {
  readonly fd: number;
  readonly maxWaiting?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** @param lost records since the start of the process */
  readonly tell: (lost: number, reason: string) => void;
}

export class AuditOutput implements AuditSink {
  readonly #destination: ReturnType<typeof pino.destination>;
  readonly #options: AuditOutputOptions;
  #lines: string[] = [];
  #chars = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Lines the destination may still hold. */
  #handedOver = 0;
  #gone = false;
  #lost = 0;
  #toldAt = -Infinity;

  constructor(options: AuditOutputOptions) {
    this.#options = options;
    const { fd, maxWaiting = MAX_WAITING } = options;
    this.#destination = pino.destination({ fd, sync: false, maxLength: maxWaiting });
    this.#destination
      .on('drain', () => (this.#handedOver = 0))
      .on('drop', (text: string) => {
        const lines = text.split('\n').length - 1;
        this.#handedOver -= lines;
        this.#lose(lines, 'whatever reads standard output is too slow');
      })
      // A reader that goes away must not take the gateway with it. Of other errors the destination tries again with the next record.
      .on('error', ({ code }: NodeJS.ErrnoException) => {
        if (code !== 'EPIPE' || this.#gone) return;
        this.#gone = true;
        this.#lose(this.#handedOver + this.#lines.length, 'nobody reads standard output any more');
        this.#lines = [];
      });
  }

  /** Records that nobody will ever read. */
  get lost(): number {
    return this.#lost;
  }

  write(line: string): void {
    if (this.#gone) {
      this.#lose(1, 'nobody reads standard output any more');
      return;
    }
    this.#lines.push(line);
    this.#chars += line.length;
    if (this.#chars >= BATCH_CHARS) this.#leave();
    else this.#timer ??= setTimeout(() => this.#leave(), LINGER_MS);
  }

  /** Writes all that is held, before it returns. */
  flush(): void {
    this.#leave();
    this.#destination.flushSync();
  }

  /** Joined once: a destination that batches by itself measures all it holds for each line that is added. */
  #leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join('\n')}\n`;
    this.#handedOver += this.#lines.length;
    this.#lines = [];
    this.#chars = 0;
    this.#destination.write(text);
  }

  #lose(lines: number, reason: string): void {
    this.#lost += lines;
    const { now, tell } = this.#options;
    if (now() - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now();
    tell(this.#lost, reason);
  }
}
