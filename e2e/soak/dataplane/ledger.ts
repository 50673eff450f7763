// What clients asked and what they got, to be held against the audit records: one record for every answer, none invented, none twice.
import type { AuditRecord } from '../../harness/portcullis-process.ts';

/** How a call ended at the client. */
export type Ending =
  /** The whole answer came. */
  | 'answered'
  /** The client left after the answer had begun. */
  | 'left'
  /** The client left before it heard anything: the gateway may or may not have read the request. */
  | 'left early'
  /** The answer broke off, as it must when an upstream cuts a plain answer. */
  | 'broken'
  /** No answer although the client stayed: never right. */
  | 'failed';

export class Ledger {
  readonly endings = new Map<Ending, number>();
  readonly statuses = new Map<number, number>();
  readonly failures: string[] = [];
  readonly #asked = new Map<string, Ending | undefined>();

  get asked(): number {
    return this.#asked.size;
  }

  begin(id: string): void {
    this.#asked.set(id, undefined);
  }

  end(id: string, ending: Ending, status: number | undefined, detail = ''): void {
    this.#asked.set(id, ending);
    this.endings.set(ending, (this.endings.get(ending) ?? 0) + 1);
    if (status !== undefined) this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (ending === 'failed') this.failures.push(`${id}: ${detail}`);
  }

  /** Differences between what was asked and what was recorded; empty when they agree. */
  compare(audit: readonly AuditRecord[]): string[] {
    const recorded = new Map<string, number>();
    for (const { request_id: id } of audit) recorded.set(String(id), (recorded.get(String(id)) ?? 0) + 1);
    const faults: string[] = [];
    for (const [id, ending] of this.#asked) {
      const records = recorded.get(id) ?? 0;
      if (records > 1) faults.push(`${id} has ${records} records`);
      if (records === 0 && ending !== 'left early') faults.push(`${id} (${ending ?? 'never ended'}) has no record`);
    }
    for (const id of recorded.keys()) if (!this.#asked.has(id)) faults.push(`${id} was recorded and never asked`);
    return faults;
  }
}
