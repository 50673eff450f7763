// A successful answer on its way to the client: bytes forwarded as they arrive, read in passing for usage, held back only by a client
// that is slower than the upstream. Silence is filled with pings, a cut ends with an error event instead of a broken stream.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Transform } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Outcome } from '../meter/call-record.ts';
import type { UsageTap } from '../meter/usage-tap.ts';
import type { Translator } from '../providers/provider.ts';
import type { ClientTranslator } from '../server/dialect.ts';
import { commonHeaders } from '../server/answer.ts';
import { errorEvent, pingEvent } from '../wire/sse-write.ts';
import type { RelaySink } from './attempt.ts';
import { isForeignCoding, openDecoder } from './content-coding.ts';

/** Everything else an upstream sends stays here: cookies, rate limits of our account, organisation ids, servers' names. */
const PASSED = ['content-type', 'cache-control', 'retry-after'] as const;

export interface RelayTimes {
  /** Milliseconds. */
  readonly ping: number;
  readonly idle: number;
}

/** What stands between the upstream's format and the client's; most answers need neither. */
export interface RelayFormats {
  /** From the provider's format to that of the Messages API, in which the answer is read. */
  readonly inbound: Translator | undefined;
  /** From there to the client's. */
  readonly outbound: ClientTranslator | undefined;
}

export interface RelayOwner {
  readonly callId: string;
  readonly response: ServerResponse;
  readonly now: () => number;
  /** Called once, when nothing more will be written. */
  relayEnded(outcome: Outcome): void;
}

export class Relay implements RelaySink {
  readonly #owner: RelayOwner;
  readonly #tap: UsageTap;
  readonly #times: RelayTimes;
  readonly #controller: Dispatcher.DispatchController;
  readonly #decoder: Transform | undefined;
  readonly #inbound: Translator | undefined;
  readonly #outbound: ClientTranslator | undefined;
  /** The answer is server-sent events where it is read; what the client gets may be frames. */
  readonly #isStream: boolean;
  #lastUpstreamByte: number;
  #lastClientByte: number;
  #blockedSince: number | undefined;
  #broken = false;
  #ended = false;

  constructor(
    owner: RelayOwner,
    tap: UsageTap,
    times: RelayTimes,
    controller: Dispatcher.DispatchController,
    status: number,
    upstreamHeaders: IncomingHttpHeaders,
    extraHeaders: readonly string[],
    { inbound, outbound }: RelayFormats,
  ) {
    this.#owner = owner;
    this.#tap = tap;
    this.#times = times;
    this.#controller = controller;
    this.#inbound = inbound;
    this.#outbound = outbound;
    this.#isStream = isEventStream(inbound?.contentType ?? upstreamHeaders['content-type']);
    this.#decoder = this.#openDecoder(upstreamHeaders['content-encoding']);
    this.#lastUpstreamByte = this.#lastClientByte = owner.now();
    const { response } = owner;
    response.writeHead(status, this.#headers(upstreamHeaders, extraHeaders));
    // Headers leave with the first chunk where that is already here, and on their own otherwise.
    process.nextTick(flushHeaders, response);
  }

  chunk(chunk: Buffer): void {
    this.#lastUpstreamByte = this.#owner.now();
    if (this.#decoder === undefined) this.#deliver(chunk);
    else if (!this.#decoder.write(chunk)) this.#controller.pause();
  }

  end(): void {
    if (this.#decoder === undefined) this.#finish();
    else this.#decoder.end();
  }

  /** The upstream connection broke in the middle of the answer. What a decoder still holds goes first: it came before the break. */
  cut(): void {
    this.#broken = true;
    if (this.#decoder === undefined) this.#failCut();
    else this.#decoder.end();
  }

  #failCut(): void {
    this.fail('upstream_cut', 'api_error', 'the upstream connection was lost before the answer was complete');
  }

  /** Ends the answer early: an error event where the format has one, a closed connection otherwise. */
  fail(outcome: Outcome, type: string, message: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#controller.abort(new Error(outcome));
    const { response, callId } = this.#owner;
    if (this.#isStream && !response.destroyed) {
      if (this.#outbound === undefined) {
        // Within an event, `event: error` on a line of its own renames what the client is about to read.
        response.write(this.#tap.breakOff);
        this.#close(errorEvent(type, message, callId));
      } else {
        this.#close(this.#outbound.fail(type, message));
      }
    } else {
      response.destroy();
    }
    this.#owner.relayEnded(outcome);
  }

  /** The client is gone: nothing can be written, the upstream is told to stop. */
  abandon(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#controller.abort(new Error('client_aborted'));
    this.#decoder?.destroy();
    this.#owner.relayEnded('client_aborted');
  }

  sweep(now: number): void {
    if (this.#ended) return;
    if (this.#blockedSince !== undefined) {
      // A reader that takes nothing for that long holds an upstream place for nobody.
      if (now - this.#blockedSince > this.#times.idle) this.#owner.response.destroy();
      return;
    }
    if (now - this.#lastUpstreamByte > this.#times.idle) {
      this.fail('idle', 'timeout_error', 'the upstream was silent for too long');
    } else if (this.#isStream && now - this.#lastClientByte > this.#times.ping && this.#tap.atBoundary) {
      this.#lastClientByte = now;
      this.#owner.response.write(this.#outbound === undefined ? pingEvent : this.#outbound.push(pingEvent));
    }
  }

  #deliver(chunk: Buffer): void {
    if (this.#ended) return;
    if (this.#inbound === undefined) {
      this.#pass(chunk);
      return;
    }
    this.#pass(this.#inbound.push(chunk));
    // The provider said in its format that it failed, and the error event is out: what else it sends is not waited for. The end comes
    // first, as the abort is heard here as a cut.
    if (this.#inbound.failed) {
      this.#finish();
      this.#controller.abort(new Error('upstream failed in its stream'));
    }
  }

  #pass(events: Buffer): void {
    if (events.length === 0) return;
    this.#tap.push(events);
    const bytes = this.#outbound === undefined ? events : this.#outbound.push(events);
    if (bytes.length === 0) return;
    this.#lastClientByte = this.#owner.now();
    if (this.#owner.response.write(bytes) || this.#blockedSince !== undefined) return;
    this.#blockedSince = this.#lastClientByte;
    this.#owner.response.once('drain', () => this.#drained());
    if (this.#decoder === undefined) this.#controller.pause();
    else this.#decoder.pause();
  }

  #drained(): void {
    if (this.#blockedSince === undefined || this.#ended) return;
    this.#blockedSince = undefined;
    this.#lastUpstreamByte = this.#owner.now();
    if (this.#decoder === undefined) this.#controller.resume();
    else this.#decoder.resume();
  }

  #finish(): void {
    if (this.#ended) return;
    if (this.#inbound?.failed === false) this.#pass(this.#inbound.end());
    this.#ended = true;
    const outcome = this.#tap.finish();
    this.#close(this.#outbound?.end());
    this.#owner.relayEnded(outcome);
  }

  /** Nobody sweeps an answer that has ended; what the client has yet to take of it gets a clock of its own. */
  #close(last?: Buffer): void {
    const { response } = this.#owner;
    response.end(last);
    if (response.writableLength > 0) response.setTimeout(this.#times.idle, () => response.destroy());
  }

  #openDecoder(encoding: string | undefined): Transform | undefined {
    return openDecoder(encoding)
      ?.on('data', (chunk: Buffer) => this.#deliver(chunk))
      .on('drain', () => this.#controller.resume())
      .on('end', () => (this.#broken ? this.#failCut() : this.#finish()))
      .on('error', () => this.#failCut());
  }

  #headers(upstream: IncomingHttpHeaders, extra: readonly string[]): string[] {
    const headers = commonHeaders(this.#owner.callId);
    const translated = this.#outbound?.contentType ?? this.#inbound?.contentType;
    if (translated !== undefined) headers.push('content-type', translated);
    for (const name of PASSED) {
      const value = upstream[name];
      if (typeof value === 'string' && (name !== 'content-type' || translated === undefined)) headers.push(name, value);
    }
    const { 'content-encoding': coding, 'content-length': length } = upstream;
    if (coding !== undefined && isForeignCoding(coding)) headers.push('content-encoding', coding);
    // A stream may get longer by a ping of ours or end early with an error event.
    const isAsSent = this.#decoder === undefined && translated === undefined;
    if (length !== undefined && isAsSent && !this.#isStream) headers.push('content-length', length);
    if (this.#isStream) {
      // Proxies of the nginx kind would otherwise collect a stream before passing it on.
      headers.push('x-accel-buffering', 'no');
      if (upstream['cache-control'] === undefined) headers.push('cache-control', 'no-cache');
    }
    headers.push(...extra);
    return headers;
  }
}

export function isEventStream(contentType: string | string[] | undefined): boolean {
  return typeof contentType === 'string' && contentType.toLowerCase().startsWith('text/event-stream');
}

function flushHeaders(response: ServerResponse): void {
  if (!response.destroyed && !response.writableEnded) response.flushHeaders();
}
