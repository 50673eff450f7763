// A successful answer on its way to the client: bytes forwarded as they arrive, read in passing for usage, held back only by a client
// that is slower than the upstream. Silence is filled with pings, a cut ends with an error event instead of a broken stream. The head leaves
// with the first byte behind it, or with our first ping: until then another upstream may still take over.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Transform } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Outcome } from '../meter/call-record.ts';
import type { UsageTap } from '../meter/usage-tap.ts';
import type { Translator } from '../providers/provider.ts';
import type { ClientTranslator } from '../server/dialect.ts';
import { errorEvent, pingEvent } from '../wire/sse-write.ts';
import type { RelaySink } from './attempt.ts';
import { answerHead } from './answer-head.ts';
import { openDecoder } from './content-coding.ts';
import { leadingError } from './leading-error.ts';

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

/** How an answer failed before a byte of it was there. */
export type UnseenFailure =
  | { readonly kind: 'network' | 'timeout' }
  /** It begins with an error event, whose type and message these are. */
  | { readonly kind: 'error'; readonly type: string; readonly message: string };

export interface RelayOwner {
  readonly callId: string;
  readonly response: ServerResponse;
  readonly now: () => number;
  /** Something goes to the client: from here on the answer is this upstream's, whatever becomes of it. */
  relayBegins(): void;
  /**
   * Nothing went to the client yet, so another upstream may still answer.
   * @returns false when the failure is to be relayed; otherwise the relay is forgotten
   */
  failedUnseen(failure: UnseenFailure): boolean;
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
  /** What the answer begins with, until it does. */
  #head: { readonly status: number; readonly headers: string[] } | undefined;
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
    const headers = answerHead(owner.callId, upstreamHeaders, {
      contentType: outbound?.contentType ?? inbound?.contentType,
      isDecoded: this.#decoder !== undefined,
      isStream: this.#isStream,
    });
    headers.push(...extraHeaders);
    this.#head = { status, headers };
  }

  /** False as long as the client has seen nothing of the answer. */
  get begun(): boolean {
    return this.#head === undefined;
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
    if (this.#isTakenOver({ kind: 'network' })) return;
    this.fail('upstream_cut', 'api_error', 'the upstream connection was lost before the answer was complete');
  }

  /** Ends the answer early: an error event where the format has one, a closed connection otherwise. */
  fail(outcome: Outcome, type: string, message: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#controller.abort(new Error(outcome));
    const { response, callId } = this.#owner;
    if (this.#isStream && !response.destroyed) {
      this.#begin();
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
    this.withdraw();
    this.#owner.relayEnded('client_aborted');
  }

  /** Ends the work on an answer that the client is not to see; the owner hears nothing more. */
  withdraw(): void {
    this.#ended = true;
    this.#controller.abort(new Error('withdrawn'));
    this.#decoder?.destroy();
  }

  sweep(now: number): void {
    if (this.#ended) return;
    if (this.#blockedSince !== undefined) {
      // A reader that takes nothing for that long holds an upstream place for nobody.
      if (now - this.#blockedSince > this.#times.idle) this.#owner.response.destroy();
      return;
    }
    if (now - this.#lastUpstreamByte > this.#times.idle) {
      if (this.#isTakenOver({ kind: 'timeout' })) return;
      this.fail('idle', 'timeout_error', 'the upstream was silent for too long');
    } else if (this.#isStream && now - this.#lastClientByte > this.#times.ping && this.#tap.atBoundary) {
      this.#lastClientByte = now;
      // The client cannot be left without a sign for longer: this upstream it is.
      this.#begin();
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
    if (events.length === 0 || this.#ended) return;
    if (this.#head !== undefined) {
      const error = this.#isStream ? leadingError(events) : undefined;
      if (error !== undefined && this.#isTakenOver({ kind: 'error', ...error })) return;
      this.#begin();
    }
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

  #begin(): void {
    if (this.#head === undefined) return;
    const { status, headers } = this.#head;
    this.#head = undefined;
    this.#owner.relayBegins();
    this.#owner.response.writeHead(status, headers);
  }

  /** True when another upstream gets the call. */
  #isTakenOver(failure: UnseenFailure): boolean {
    if (this.#head === undefined || this.#ended) return false;
    // First, because what follows may be a new relay on the same response.
    this.#ended = true;
    if (!this.#owner.failedUnseen(failure)) {
      this.#ended = false;
      return false;
    }
    this.#controller.abort(new Error('another upstream is asked'));
    this.#decoder?.destroy();
    return true;
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
    // An answer without a byte is none.
    if (this.#ended || this.#isTakenOver({ kind: 'network' })) return;
    this.#begin();
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
}

export function isEventStream(contentType: string | string[] | undefined): boolean {
  return typeof contentType === 'string' && contentType.toLowerCase().startsWith('text/event-stream');
}
