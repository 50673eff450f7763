// One try at one upstream: an undici handler that decides at the response headers whether the answer is relayed as it comes or
// collected, because it may lead to another attempt.
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { UpstreamRequest } from '../providers/provider.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { isPassing } from '../credentials/credential-error.ts';
import { decodeWhole } from './content-coding.ts';
import { asMeant, type Failure, type UpstreamAnswer } from './failure.ts';
import { requestBody } from './request-body.ts';

/** More of a refusal than this is not worth keeping; the connection is given up instead. */
const MAX_COLLECTED = 256 * 1024;
/** How long a refusal may take to arrive once its headers are there. */
const COLLECT_MS = 5_000;

/** What an attempt tells its exchange. Exactly one of `failed` and `answered` is called, or `relay` once and then its sink. */
export interface AttemptOwner {
  failed(failure: Failure): void;
  /** A complete answer that ends the exchange although it is not a success. */
  answered(answer: UpstreamAnswer): void;
  /** The answer is a success: everything from here on goes to the sink. */
  relay(status: number, headers: IncomingHttpHeaders, controller: Dispatcher.DispatchController): RelaySink;
  verdict(status: number): 'relay' | 'final' | 'failed';
}

/** In milliseconds. */
export interface AttemptTimes {
  /** Until the request can be sent. */
  readonly connect: number;
  /** From then until the headers of the answer. */
  readonly firstByte: number;
}

export interface RelaySink {
  chunk(chunk: Buffer): void;
  end(): void;
  cut(): void;
}

export class Attempt implements Dispatcher.DispatchHandler {
  readonly target: UpstreamTarget;
  readonly #owner: AttemptOwner;
  readonly #times: AttemptTimes;
  readonly #now: () => number;
  #controller: Dispatcher.DispatchController | undefined;
  #body: { release(): void } | undefined;
  #deadline: number | undefined;
  #timedOut = false;
  #settled = false;
  #cancelled = false;
  #sink: RelaySink | undefined;
  #collected: Buffer[] = [];
  #collectedBytes = 0;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #sent: readonly string[] = [];

  constructor(target: UpstreamTarget, owner: AttemptOwner, times: AttemptTimes, now: () => number) {
    this.target = target;
    this.#owner = owner;
    this.#times = times;
    this.#now = now;
  }

  /**
   * @param connections opens them when first used, and fails as a connection does when it cannot
   * @param caller id of the principal, for credentials that carry a name to the provider
   */
  dispatch(connections: () => Dispatcher, request: UpstreamRequest, caller: string): void {
    this.#deadline = this.#now() + this.#times.connect;
    const { path, headers, body } = request;
    this.#sent = headers;
    const outgoing = { method: 'POST', origin: this.target.origin, path, headers, body };
    const pending = this.target.credential.authorize(outgoing, caller);
    if (pending === undefined) {
      this.#send(connections, request);
      return;
    }
    void this.#sendAfter(pending, connections, request);
  }

  async #sendAfter(credential: Promise<undefined>, connections: () => Dispatcher, request: UpstreamRequest) {
    try {
      await credential;
    } catch (error) {
      this.#settle({ kind: 'credential', target: this.target, retry: isPassing(error) });
      return;
    }
    if (!this.#settled) this.#send(connections, request);
  }

  #send(connections: () => Dispatcher, { path, headers, body }: UpstreamRequest): void {
    const upload = requestBody(body);
    this.#body = upload;
    headers.push('content-length', String(body.length));
    try {
      const options = { origin: this.target.origin, path, method: 'POST', headers, body: upload.body as never };
      connections().dispatch(options, this);
    } catch (error) {
      this.onResponseError(undefined, error as Error);
    }
  }

  /** Headers of the request, with its credential. */
  get sent(): readonly string[] {
    return this.#sent;
  }

  /** Ends the attempt from our side; its owner hears nothing more of it. */
  cancel(): void {
    this.#cancelled = true;
    this.#settled = true;
    this.#controller?.abort(new Error('cancelled by the gateway'));
  }

  /** Looks at the deadline; called by the exchange's sweep. */
  sweep(now: number): void {
    if (this.#deadline === undefined || now < this.#deadline || this.#settled) return;
    if (this.#controller === undefined) {
      // undici bounds the connection to an upstream, but not the silence of a proxy before it.
      this.#cancelled = true;
      this.#settle({ kind: 'connect', target: this.target });
      return;
    }
    this.#timedOut = true;
    this.#controller.abort(new Error('upstream timed out'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cancelled) {
      controller.abort(new Error('cancelled by the gateway'));
      return;
    }
    this.#deadline = this.#now() + this.#times.firstByte;
  }

  onResponseStart(controller: Dispatcher.DispatchController, sent: number, headers: IncomingHttpHeaders): void {
    if (sent < 200 || this.#cancelled) return;
    const status = this.target.provider.statuses?.get(sent) ?? sent;
    this.#status = status;
    this.#body?.release();
    // Some fifty small buffers, which undici would keep until the stream ends.
    controller.rawHeaders = null;
    if (status >= 300 && status < 400) {
      this.#settle({ kind: 'redirect', target: this.target });
      controller.abort(new Error('redirects are not followed'));
    } else if (this.#owner.verdict(status) === 'relay') {
      this.#deadline = undefined;
      this.#sink = this.#owner.relay(status, headers, controller);
    } else {
      this.#headers = headers;
      this.#deadline = this.#now() + COLLECT_MS;
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#sink !== undefined) {
      this.#sink.chunk(chunk);
      return;
    }
    if (this.#settled) return;
    this.#collectedBytes += chunk.length;
    if (this.#collectedBytes <= MAX_COLLECTED) {
      this.#collected.push(chunk);
      return;
    }
    this.#collected = [];
    this.#finishCollecting();
    controller.abort(new Error('refusal too large'));
  }

  onResponseEnd(): void {
    if (this.#sink !== undefined) this.#sink.end();
    else this.#finishCollecting();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, _error: Error): void {
    if (this.#sink !== undefined) {
      this.#sink.cut();
    } else if (this.#status !== 0) {
      // The refusal was cut short; its status still counts.
      this.#collected = [];
      this.#finishCollecting();
    } else {
      const kind = this.#timedOut ? 'timeout' : this.#controller === undefined ? 'connect' : 'network';
      this.#settle({ kind, target: this.target });
    }
  }

  #finishCollecting(): void {
    if (this.#settled) return;
    const collected: UpstreamAnswer = {
      status: this.#status,
      body: decodeWhole(Buffer.concat(this.#collected), this.#headers['content-encoding'], MAX_COLLECTED),
      contentType: text(this.#headers['content-type']),
      retryAfter: text(this.#headers['retry-after']),
      date: text(this.#headers['date']),
    };
    const answer = asMeant(collected, this.target);
    if (this.#owner.verdict(answer.status) === 'failed') {
      this.#settle({ kind: 'status', target: this.target, answer });
      return;
    }
    this.#settled = true;
    this.#owner.answered(answer);
  }

  #settle(failure: Failure): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#owner.failed(failure);
  }
}

function text(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
