// The exchange of one call with the upstreams: attempts in order until one answers, then the relay. It owns the call's place, its
// deadlines and its end, whoever causes it: upstream, client, clock, revocation or shutdown.
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Grant } from '../admit/admit.ts';
import { GatewayError, refuse } from '../errors.ts';
import type { Outcome } from '../meter/call-record.ts';
import { openTap, type UsageTap } from '../meter/usage-tap.ts';
import type { ProviderRequest } from '../providers/provider.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { upstreamRequest } from '../providers/upstream-request.ts';
import { answerError } from '../server/answer.ts';
import type { Call, ClientWatcher } from '../server/call.ts';
import { answerFinally } from './answer-final.ts';
import { headerText, withoutSecrets } from './answer-head.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { answerOf, finalAnswer, type Failure, type FinalAnswer, type UpstreamAnswer } from './failure.ts';
import type { OpenExchange, RouteContext } from './route-context.ts';
import { noteAnswer, noteRefusal } from './health.ts';
import { planOf } from './plan-of-call.ts';
import { refusalOf } from './leading-error.ts';
import { isEventStream, Relay, type RelayOwner, type UnseenFailure } from './relay.ts';
import type { Plan } from './strategy-plan.ts';

export class Exchange implements OpenExchange, ClientWatcher, AttemptOwner, RelayOwner {
  readonly call: Call;
  readonly #context: RouteContext;
  readonly #grant: Grant;
  readonly #plan: Plan;
  readonly #failures: Failure[] = [];
  /** Counting is free and may be refused; it neither opens a breaker nor is charged. */
  readonly #counting: boolean;
  #request: ProviderRequest | undefined;
  #connectRetries = 0;
  /** The upstream at hand was asked once more under another credential. */
  #reauthorized = false;
  /** Of the process clock: when the attempt at hand was sent. */
  #triedAt = 0;
  #attempt: Attempt | undefined;
  #relay: Relay | undefined;
  #tap: UsageTap | undefined;
  #done = false;

  constructor(context: RouteContext, call: Call, grant: Grant, request: ProviderRequest) {
    this.call = call;
    this.#context = context;
    this.#grant = grant;
    this.#request = request;
    this.#counting = request.operation === 'count';
    this.#plan = planOf(context, call, grant, this.#counting);
  }

  /** Upstreams the caller is granted, whether or not they could serve this call: the figure clients know from the reference. */
  get #configured(): number {
    return this.#grant.access.upstreams.length;
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

  cut(outcome: 'revoked' | 'drained'): void {
    if (this.#done) return;
    const error =
      outcome === 'revoked'
        ? new GatewayError({ reason: 'revoked_key', status: 401, message: 'this key was revoked', retry: false })
        : refuse.draining();
    if (this.#relay?.begun !== true) {
      this.#relay?.withdraw();
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
    if (failure.kind === 'status') {
      if (this.#reauthorizes(failure.answer, target)) return;
      this.#noteRefusal(failure.answer, target);
    }
    this.#failures.push(failure);
    this.#noteHealth(failure);
    if (failure.kind === 'timeout') this.#observeLatency(target);
    const isFinal = failure.kind === 'timeout' && !this.call.settings.gateway.routing.failoverOn.includes('timeout');
    if (isFinal) this.#answer(finalAnswer([failure], this.#configured));
    else this.#tryNext();
  }

  answered(answer: UpstreamAnswer): void {
    const target = this.#attempt!.target;
    this.#context.observe.attempt(target.key, String(answer.status));
    if (this.#reauthorizes(answer, target)) return;
    this.#noteRefusal(answer, target);
    if (!this.#counting) noteAnswer(this.#context.breakers, target, this.#plan.model.id, answer);
    this.#answer(answerOf(answer, target, this.#configured));
  }

  relay(status: number, headers: IncomingHttpHeaders, controller: Dispatcher.DispatchController): Relay {
    const { call } = this;
    const target = this.#attempt!.target;
    const { timeouts } = call.settings.gateway.listen;
    const { operation } = this.#request!;
    call.record.upstreamStatus = status;
    if (!this.#counting)
      this.#context.health.served(target, this.#plan.model.id, call.record.upstreamModel ?? '', headers);
    withoutSecrets(headers, target);
    call.record.upstreamRequestId = headerText(headers['request-id']);
    call.record.cloudRequestId = headerText(headers['x-amzn-requestid']);
    const contentType = headerText(headers['content-type']) ?? '';
    const inbound = target.provider.answer?.(operation, contentType, call.id, target);
    const isStream = isEventStream(inbound?.contentType ?? contentType);
    this.#tap = openTap(isStream, this.#counting);
    const outbound = call.dialect.answer?.(operation, isStream);
    const extra = call.settings.gateway.routing.exposeUpstream ? ['x-portcullis-upstream', target.key] : [];
    this.#relay = new Relay(
      this,
      this.#tap,
      { ping: timeouts.ping, idle: timeouts.streamIdle },
      controller,
      status,
      headers,
      extra,
      { inbound, outbound },
    );
    return this.#relay;
  }

  relayBegins(): void {
    const { target } = this.#attempt!;
    this.#request = undefined;
    this.call.record.firstByteAt = this.now();
    this.#context.observe.attempt(target.key, String(this.call.record.upstreamStatus));
    if (this.#counting) return;
    this.#context.breakers.succeeded(target.key, this.#plan.model.id);
    this.#observeLatency(target);
    this.#plan.served();
  }

  failedUnseen(unseen: UnseenFailure): boolean {
    const failure = this.#failureOf(unseen);
    if (failure === undefined) return false;
    this.#relay = undefined;
    this.#tap = undefined;
    this.failed(failure);
    return true;
  }

  /** Where nobody else is left to ask, the provider's own event says more than a status of ours. */
  #failureOf(unseen: UnseenFailure): Failure | undefined {
    const { target } = this.#attempt!;
    if (unseen.kind !== 'error') return { kind: unseen.kind, target };
    const answer = refusalOf(unseen);
    const isWorthIt = answer !== undefined && this.verdict(answer.status) === 'failed' && this.#plan.hasMore;
    return isWorthIt ? { kind: 'status', target, answer } : undefined;
  }

  relayEnded(outcome: Outcome): void {
    this.call.record.outcome ??= outcome;
    this.#finish();
  }

  #tryNext(): void {
    for (;;) {
      const target = this.#plan.next();
      if (target === undefined) {
        this.#answer(finalAnswer(this.#failures, this.#configured, this.#grant.access));
        return;
      }
      this.#connectRetries = 0;
      this.#reauthorized = false;
      const { model } = this.#plan;
      // A fallback: the record and the request speak of the model that is asked for now.
      if (model !== this.#request!.model) {
        this.#request = { ...this.#request!, model };
        this.call.record.model = model.id;
      }
      if (this.#try(target)) return;
    }
  }

  /** True when the credential of the upstream has another form, and the call goes out once more under it. */
  #reauthorizes({ status, date }: UpstreamAnswer, target: UpstreamTarget): boolean {
    if (status !== 401 && status !== 403) return false;
    const again = target.credential.rejected(this.#request!.caller.id, date, this.#attempt!.sent);
    if (!again || this.#reauthorized) return false;
    this.#reauthorized = true;
    return this.#try(target);
  }

  /** @returns false when the upstream cannot be asked for this */
  #try(target: UpstreamTarget): boolean {
    const { record, settings } = this.call;
    const upstream = upstreamRequest(target, this.#request!);
    if (upstream instanceof GatewayError) {
      if (upstream.status >= 500) this.#context.observe.attempt(target.key, 'defect');
      this.#failures.push({ kind: 'unfit', target, error: upstream });
      return false;
    }
    if (!this.#counting) this.#context.breakers.trying(target.key, this.#plan.model.id, target.entry.breaker);
    this.#triedAt = this.now();
    record.attempts++;
    record.upstream = target.key;
    record.upstreamModel = upstream.modelId;
    record.droppedBetas = upstream.dropped;
    if (upstream.dropped.length > 0)
      this.#context.observe.betasDropped(target.provider.family, upstream.dropped.length);
    record.upstreamCredential = target.credential.id;
    const { connect, firstByte } = settings.gateway.listen.timeouts;
    const times = { connect, firstByte: target.entry.firstByteTimeout ?? firstByte };
    this.#attempt = new Attempt(target, this, times, this.now);
    this.#attempt.dispatch(() => this.#context.pools.of(target.origin, target.tls), upstream, this.#request!.caller.id);
    return true;
  }

  #answer(final: FinalAnswer): void {
    answerFinally(this.call, final);
    this.#finish();
  }

  #noteHealth(failure: Failure): void {
    if (this.#counting || failure.kind === 'unfit') return;
    const { breakers } = this.#context;
    const { key, entry } = failure.target;
    const model = this.#plan.model.id;
    if (failure.kind === 'status') noteRefusal(breakers, failure.target, model, failure.answer);
    else breakers.failed(key, model, entry.breaker);
  }

  /** Permission to count is another than to send messages, and says nothing about them. */
  #noteRefusal({ status, body }: UpstreamAnswer, target: UpstreamTarget): void {
    if (!this.#counting) this.#context.health.refused(target, this.call.record.upstreamModel ?? '', status, body);
  }

  #observeLatency({ key }: UpstreamTarget): void {
    if (this.#counting) return;
    this.#context.latencies.observe(key, this.#plan.model.id, this.now() - this.#triedAt);
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#request = undefined;
    this.#attempt = undefined;
    this.call.watcher = undefined;
    this.#context.sweeper.delete(this);
    this.#context.slots.release();
    this.#plan.release();
    if (this.#tap !== undefined) this.#context.charge(this.call, this.#tap, this.#plan.model);
  }
}
