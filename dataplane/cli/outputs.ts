// Where the program writes: audit records to standard output, the operational log to standard error.
import pino from 'pino';
import type { AuditSink } from '../meter/audit.ts';

/** Characters of records that leave together. A system call for each would cost more than the record. */
const BATCH_CHARS = 32 * 1024;
/** How long a record may wait for others, in milliseconds. */
const LINGER_MS = 100;
/** Bytes that may wait for a reader that is slow; what comes beyond them is lost to it. */
const MAX_WAITING = 64 * 1024 * 1024;

export interface Outputs {
  readonly audit: AuditSink;
  /** Writes what is held back of the audit records, at once. */
  readonly flush: () => void;
  readonly log: pino.Logger;
}

export function openOutputs(): Outputs {
  const records = pino.destination({ fd: 1, sync: false, maxLength: MAX_WAITING });
  // A reader of the audit stream that goes away must not take the gateway with it.
  records.on('error', () => undefined);
  const batch = new LineBatch((text) => void records.write(text));
  return {
    audit: batch,
    flush: () => {
      batch.leave();
      records.flushSync();
    },
    log: pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2)),
  };
}

/** Joined once: a destination that batches by itself measures all it holds for each line that is added. */
class LineBatch implements AuditSink {
  readonly #write: (text: string) => void;
  #lines: string[] = [];
  #chars = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  write(line: string): void {
    this.#lines.push(line);
    this.#chars += line.length;
    if (this.#chars >= BATCH_CHARS) this.leave();
    else this.#timer ??= setTimeout(() => this.leave(), LINGER_MS);
  }

  leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join('\n')}\n`;
    this.#lines = [];
    this.#chars = 0;
    this.#write(text);
  }
}
