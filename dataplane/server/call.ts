// One client call, from its first header byte to its audit line. Doors and rooms read from it; only `record` changes on the way.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Settings } from '../config/snapshot.ts';
import type { Principal } from '../identify/principal.ts';
import type { CallRecord } from '../meter/call-record.ts';
import type { ClientDialect } from './dialect.ts';

/** Something that must hear when the client's connection ends: the exchange with an upstream. */
export interface ClientWatcher {
  /** @param completed whether the whole answer was handed to the kernel */
  clientClosed(completed: boolean): void;
}

export interface Call {
  /** Sent back as `x-request-id`, and the id of the audit record. */
  readonly id: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Path without query, after lenient rewriting. */
  readonly path: string;
  /** Query with its `?`, or `''`. */
  readonly search: string;
  readonly address: string;
  /** Every value in its headers that may be one: none of them belongs upstream or in a log. */
  readonly credentials: readonly string[];
  /** How the client is answered; the door it knocked at decides. */
  readonly dialect: ClientDialect;
  readonly settings: Settings;
  readonly record: CallRecord;
  principal: Principal | undefined;
  watcher: ClientWatcher | undefined;
}

const SAFE_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** A client's own id is kept when it is harmless in headers and logs: safe characters, no key. Otherwise a fresh one is made. */
export function callId({ headers }: IncomingMessage, credentials: readonly string[], fresh: () => string): string {
  const offered = headers['x-client-request-id'];
  const isHarmless =
    typeof offered === 'string' && SAFE_ID.test(offered) && !credentials.some((value) => offered.includes(value));
  return isHarmless ? offered : fresh();
}
