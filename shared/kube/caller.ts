// One call as a series of attempts: our rate limit, a deadline over all of them, the server's wish to wait, a token that was replaced, a
// connection that died. What may have been done already is not tried again.
import type { Dispatcher } from 'undici';
import { apiErrorFromAnswer } from './api-error.ts';
import type { ApiError } from './client.ts';
import { sleep } from './deadline.ts';
import type { TokenBucket } from './token-bucket.ts';
import type { Exchange, Transport } from './transport.ts';

/** @param code the HTTP status that came of it, or `error` when there was none */
export type CountAttempt = (verb: string, resource: string, code: string) => void;

export interface CallerOptions {
  readonly transport: Transport;
  readonly bucket: TokenBucket;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly count?: CountAttempt;
  /** Asked before every attempt that changes something; always when left out. */
  readonly mayWrite?: () => boolean;
}

export interface Attempt extends Exchange {
  /** For counting: `get`, `list`, `watch`, `apply` and so on, and the plural of the kind. */
  readonly verb: string;
  readonly resource: string;
  /** Doing it twice is the same as doing it once. */
  readonly idempotent: boolean;
}

/** After an answer that asks to come later. */
const MAX_REFUSALS = 5;
/** After no answer. A server that is down for longer is the caller's to wait for. */
const MAX_BREAKS = 2;
const BREAK_PAUSE_MS = 100;
const REFUSAL_PAUSE_MS = 500;

export class Caller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /**
   * @returns an answer with a status below 300, its body not yet read
   * @throws {ApiError} for any other answer, the transport's error when there was none, the reason of the signal when it aborts, and an
   *   error without any attempt when writing is not allowed
   */
  async call(attempt: Attempt): Promise<Dispatcher.ResponseData> {
    const { random } = this.#options;
    let refusals = 0;
    let breaks = 0;
    let renewed = false;
    let refresh = false;
    for (;;) {
      await this.#ourTurn(attempt.signal);
      this.#checkMayWrite(attempt);
      let answer: Dispatcher.ResponseData | undefined;
      try {
        answer = await this.#send(attempt, refresh);
      } catch (error) {
        attempt.signal.throwIfAborted();
        if (!attempt.idempotent || ++breaks > MAX_BREAKS) throw error;
        // The certificate may have been replaced, or the connection was closed just as we took it.
        refresh = true;
        await sleep(BREAK_PAUSE_MS * 2 ** breaks * (0.5 + random()), attempt.signal);
        continue;
      }
      if (answer.statusCode < 300) return answer;
      const error = await readError(attempt, answer);
      refresh = false;
      if (error.code === 401 && !renewed) {
        renewed = refresh = true;
        continue;
      }
      if (!mayComeLater(attempt, error) || ++refusals > MAX_REFUSALS) throw error;
      await this.#pause(error, REFUSAL_PAUSE_MS * 2 ** (refusals - 1) * (0.5 + random()), attempt.signal);
    }
  }

  /** Behind every wait: what was allowed when a call began may not be any more. */
  #checkMayWrite({ method, path }: Attempt): void {
    if (method !== 'GET' && this.#options.mayWrite?.() === false) {
      throw new Error(`${method} ${path} was not sent: this process may not write`);
    }
  }

  async #send(attempt: Attempt, refresh: boolean): Promise<Dispatcher.ResponseData> {
    const { transport, count } = this.#options;
    try {
      const answer = await transport.send(attempt, refresh);
      count?.(attempt.verb, attempt.resource, String(answer.statusCode));
      return answer;
    } catch (error) {
      if (!attempt.signal.aborted) count?.(attempt.verb, attempt.resource, 'error');
      throw error;
    }
  }

  async #ourTurn(signal: AbortSignal): Promise<void> {
    const wait = this.#options.bucket.take();
    if (wait === 0) return;
    try {
      await sleep(wait, signal);
    } catch (error) {
      this.#options.bucket.giveBack();
      throw error;
    }
  }

  /** The last refusal says more than that time ran out. */
  async #pause(error: ApiError, pause: number, signal: AbortSignal): Promise<void> {
    try {
      await sleep(error.retryAfter ?? pause, signal);
    } catch {
      throw error;
    }
  }
}

/** 429 means that nothing was done; 503 and a wish to wait usually do. */
function mayComeLater({ idempotent }: Attempt, { code, retryAfter }: ApiError): boolean {
  return code === 429 || (idempotent && (code === 503 || (code >= 500 && retryAfter !== undefined)));
}

async function readError({ method, path }: Attempt, answer: Dispatcher.ResponseData): Promise<ApiError> {
  const text = await answer.body.text();
  const header = answer.headers['retry-after'];
  return apiErrorFromAnswer(answer.statusCode, `${method} ${path}`, text, Array.isArray(header) ? header[0] : header);
}
