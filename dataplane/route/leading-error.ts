// A stream that begins with an error event has answered nothing: providers under load accept a call and say so only then.
import { errorTypeOf } from '../errors.ts';
import type { UpstreamAnswer } from './failure.ts';

/** Statuses of the errors that another upstream, or a later try, may not have. */
const PASSING = [429, 500, 504, 529] as const;
const STATUS_OF: ReadonlyMap<string, number> = new Map(PASSING.map((status) => [errorTypeOf(status), status] as const));

const OPENING = Buffer.from('event: error');
const SHORTEST = OPENING.length;
/** An error event is a sentence. */
const LONGEST = 16 * 1024;

export interface LeadingError {
  readonly type: string;
  readonly message: string;
}

/**
 * @param events the first bytes of a stream
 * @returns undefined unless they are one whole error event
 */
export function leadingError(events: Buffer): LeadingError | undefined {
  if (events.length < SHORTEST || events.length > LONGEST) return undefined;
  if (OPENING.compare(events, 0, SHORTEST) !== 0) return undefined;
  const data = /^data: ?(.*)$/m.exec(events.toString())?.[1];
  try {
    const { error } = JSON.parse(data ?? '') as { error?: { type?: unknown; message?: unknown } };
    const { type, message } = error ?? {};
    return typeof type === 'string' && typeof message === 'string' ? { type, message } : undefined;
  } catch {
    return undefined;
  }
}

/** The error as the answer it would have been; undefined when it is the client's own. */
export function refusalOf({ type, message }: LeadingError): UpstreamAnswer | undefined {
  const status = STATUS_OF.get(type);
  if (status === undefined) return undefined;
  const body = Buffer.from(JSON.stringify({ type: 'error', error: { type, message } }));
  return { status, body, contentType: 'application/json', retryAfter: undefined, date: undefined };
}
