// Where the program writes: audit records to standard output, the operational log to standard error.
import pino from 'pino';
import type { AuditSink } from '../meter/audit.ts';

/**
 * A write per record would cost more than the record: they leave together, when they are nearly the 16 KB that go in one write, at the latest
 * after `periodicFlush` milliseconds.
 */
const AUDIT_BATCH = { minLength: 15 * 1024, periodicFlush: 100, maxLength: 64 * 1024 * 1024 };

export interface Outputs {
  readonly audit: AuditSink;
  /** Writes what is held back of the audit records, at once. */
  readonly flush: () => void;
  readonly log: pino.Logger;
}

export function openOutputs(): Outputs {
  const records = pino.destination({ fd: 1, sync: false, ...AUDIT_BATCH });
  // A reader of the audit stream that goes away must not take the gateway with it.
  records.on('error', () => undefined);
  return {
    audit: { write: (line: string) => void records.write(`${line}\n`) },
    flush: () => records.flushSync(),
    log: pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2)),
  };
}
