// The exchange of one call with the upstreams: attempts in order until one answers, then the relay. It owns the call's place, its
// deadlines and its end, whoever causes it: upstream, client, clock, revocation or shutdown.
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Grant } from '../admit/admit.ts';
import { GatewayError } from '../errors.ts';
import type { Outcome } from '../meter/call-record.ts';
import { openTap, type UsageTap } from '../meter/usage-tap.ts';
import { anthropicRequest, type ProviderRequest } from '../providers/anthropic.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { answerError, answerJson } from '../server/answer.ts';
import type { Call, ClientWatcher } from '../server/call.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { answerOf, finalAnswer, type Failure, type FinalAnswer, type UpstreamAnswer } from './failure.ts';
import { attemptOrder } from './order.ts';
import type { RouteContext } from './forwarder.ts';
import { isEventStream, Relay, type RelayOwner } from './relay.ts';
import type { Swept } from './sweeper.ts';

export class Exchange implements Swept, ClientWatcher, AttemptOwner, RelayOwner {
  readonly call: Call;
  readonly #context: RouteContext;
  readonly #grant: Grant;
  readonly #order: readonly UpstreamTarget[];
  readonly #failures: Failure[] = [];
  /** Counting is free and may be refused; it neither opens a breaker nor is charged. */
  readonly #counting: boolean;
  #request: ProviderRequest | undefined;
  #next = 0;
  #connectRetries = 0;
  #attempt: Attempt | undefined;
  #relay: Relay | undefined;
  #tap: UsageTap | undefined;
  #done = false;

  constructor(context: RouteContext, call: Call, grant: Grant, request: ProviderRequest) {
    this.call = call;
    this.#context = context;
    this.#grant = grant;
    this.#request = request;
    this.#counting = request.path !== '/v1/messages';
    this.#order = attemptOrder(grant.candidates, sessionOf(call), context.breakers, context.random);
  }

  get callId(): string {
    return this.call.id;
  }

  get response(): Call['response'] {
    return this.call.response;
  }

  get now(): () => number {
    return this.#context.now;
  }

  start(): void {
    this.#context.sweeper.add(this);
    this.call.watcher = this;
    this.#tryNext();
  }

  sweep(now: number): void {
    if (this.#relay === undefined) this.#attempt?.sweep(now);
    else this.#relay.sweep(now);
  }

  clientClosed(completed: boolean): void {
    if (this.#done) return;
    if (!completed) this.call.record.outcome ??= 'client_aborted';
    if (this.#relay === undefined) this.#attempt?.cancel();
    else this.#relay.abandon();
    this.#finish();
  }

  /** Ends the call from our side: its key was revoked, or the process is going down. */
  cut(outcome: 'revoked' | 'drained'): void {
    if (this.#done) return;
    const error =
      outcome === 'revoked'
        ? new GatewayError({ reason: 'revoked_key', status: 401, message: 'this key was revoked', retry: false })
        : new GatewayError({
            reason: 'draining',
            status: 529,
            message: 'the gateway is shutting down: try again',
            retryAfterSeconds: 1,
          });
    if (this.#relay === undefined) {
      this.#attempt?.cancel();
      this.call.record.outcome = outcome;
      answerError(this.call, error);
      this.#finish();
    } else {
      this.#relay.fail(outcome, error.type, error.message);
    }
  }

  verdict(status: number): 'relay' | 'final' | 'failed' {
    if (status < 300) return 'relay';
    const { failoverOn } = this.call.settings.gateway.routing;
    const cause = status >= 500 && status !== 501 ? '5xx' : String(status);
    return (failoverOn as readonly string[]).includes(cause) ? 'failed' : 'final';
  }

  failed(failure: Failure): void {
    if (this.#done) return;
    const { target } = failure;
    this.#context.observe.attempt(target.key, failure.kind === 'status' ? String(failure.answer.status) : failure.kind);
    if (failure.kind === 'connect' && this.#connectRetries < target.entry.connectRetries) {
      this.#connectRetries++;
      this.#try(target);
      return;
    }
    this.#failures.push(failure);
    this.#noteHealth(failure);
    const isFinal = failure.kind === 'timeout' && !this.call.settings.gateway.routing.failoverOn.includes('timeout');
    if (isFinal) this.#answer(finalAnswer([failure], this.#order.length));
    else this.#tryNext();
  }

  answered(answer: UpstreamAnswer): void {
    const target = this.#attempt!.target;
    this.#context.observe.attempt(target.key, String(answer.status));
    // An upstream that refuses what was asked is alive.
    if (!this.#counting) {
      if (answer.status >= 500) this.#context.breakers.failed(target.key, target.entry.breaker);
      else this.#context.breakers.succeeded(target.key);
    }
    this.#answer(answerOf(answer, target));
  }

  relay(status: number, headers: IncomingHttpHeaders, controller: Dispatcher.DispatchController): Relay {
    const { call } = this;
    const target = this.#attempt!.target;
    const { timeouts } = call.settings.gateway.listen;
    this.#context.observe.attempt(target.key, String(status));
    if (!this.#counting) this.#context.breakers.succeeded(target.key);
    this.#request = undefined;
    call.record.firstByteAt = this.now();
    call.record.upstreamStatus = status;
    call.record.upstreamRequestId = text(headers['request-id']);
    call.record.cloudRequestId = text(headers['x-amzn-requestid']);
    this.#tap = openTap(isEventStream(headers['content-type']), this.#counting);
    const extra = call.settings.gateway.routing.exposeUpstream ? ['x-portcullis-upstream', target.key] : [];
    this.#relay = new Relay(
      this,
      this.#tap,
      { ping: timeouts.ping, idle: timeouts.streamIdle },
      controller,
      status,
      headers,
      extra,
    );
    return this.#relay;
  }

  relayEnded(outcome: Outcome): void {
    this.call.record.outcome ??= outcome;
    this.#finish();
  }

  #tryNext(): void {
    const target = this.#order[this.#next++];
    if (target === undefined) {
      this.#answer(finalAnswer(this.#failures, this.#order.length));
      return;
    }
    this.#connectRetries = 0;
    this.#try(target);
  }

  #try(target: UpstreamTarget): void {
    const { record, settings } = this.call;
    const upstream = anthropicRequest(target, this.#request!);
    record.attempts++;
    record.upstream = target.key;
    record.upstreamModel = upstream.modelId;
    const firstByte = target.entry.firstByteTimeout ?? settings.gateway.listen.timeouts.firstByte;
    this.#attempt = new Attempt(target, this, firstByte, this.now);
    this.#attempt.dispatch(this.#context.pools.of(target.origin), upstream);
  }

  #answer(final: FinalAnswer): void {
    const { call } = this;
    if (final.kind === 'own') {
      answerError(call, final.error);
    } else {
      const { status, body, retryAfter } = final.answer;
      call.record.reason = final.reason;
      call.record.upstreamStatus = status;
      const extra = status === 429 || status === 529 ? ['retry-after', retryAfter ?? '1'] : [];
      if (status === 501) extra.push('x-should-retry', 'false');
      answerJson(call, status, body, extra);
    }
    this.#finish();
  }

  #noteHealth(failure: Failure): void {
    if (this.#counting) return;
    // A 429 is a limit doing its work, a 404 a model that is not there; neither says that the upstream is ill.
    if (failure.kind === 'status' && (failure.answer.status === 429 || failure.answer.status === 404)) return;
    this.#context.breakers.failed(failure.target.key, failure.target.entry.breaker);
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#request = undefined;
    this.#attempt = undefined;
    this.call.watcher = undefined;
    this.#context.sweeper.delete(this);
    this.#context.slots.release(this.call.settings.gateway.listen.limits.maxConcurrentUpstream);
    if (this.#tap !== undefined) this.#context.charge(this.call, this.#tap, this.#grant.model);
  }
}

/** Requests of one session stay together; the header is a hint for routing and never an identity. */
function sessionOf({ request, principal }: Call): string | undefined {
  const session = request.headers['x-claude-code-session-id'];
  return typeof session === 'string' && session !== '' ? `${principal?.id ?? ''} ${session.slice(0, 128)}` : undefined;
}

function text(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
