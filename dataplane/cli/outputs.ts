// Where the program writes: audit records to standard output, the operational log to standard error.
import pino from 'pino';
import { AuditOutput } from './audit-output.ts';

export interface Outputs {
  readonly audit: AuditOutput;
  readonly log: pino.Logger;
}

export function openOutputs(): Outputs {
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
  const tell = (lost: number, reason: string): void => log.error({ lost, reason }, 'audit records are lost');
  return { audit: new AuditOutput({ fd: 1, now: () => performance.now(), tell }), log };
}
