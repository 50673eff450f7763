// The plan of one call: whom to ask next, model by model. Holds the call's place at an upstream that takes only so many, and tells what is
// worth knowing of the way: a change of provider, a change of model, where a session was served in the end.
import type { RoutingConfig } from '#shared/bundle/bundle.ts';
import type { Grant, Leg } from '../admit/admit.ts';
import type { ServedModel } from '../admit/models.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { attemptOrder, type AttemptOrder } from './order.ts';
import { looksAtTheMoment, type Asked, type RoutingState } from './strategy.ts';

/** Hears of what a plan crosses. */
export interface PlanObserver {
  /** A call leaves the provider it would have gone to, or went to before. */
  crossing(from: string, to: string): void;
  /** A call is answered by another model. */
  fallback(from: string, to: string): void;
}

/** What of a call decides where it goes. */
export interface PlanInput {
  readonly grant: Grant;
  readonly routing: RoutingConfig;
  readonly session: string | undefined;
  readonly hint: string | undefined;
  /** Counting tokens takes no place, moves no session and is nobody's turn. */
  readonly counting: boolean;
  readonly price: (target: UpstreamTarget, model: ServedModel) => number;
}

export class Plan {
  readonly #input: PlanInput;
  readonly #state: RoutingState;
  readonly #observer: PlanObserver;
  #leg: Leg;
  #legs = 0;
  #order: AttemptOrder;
  #next = 0;
  #provider: string;
  #holding: UpstreamTarget | undefined;

  constructor(input: PlanInput, state: RoutingState, observer: PlanObserver) {
    this.#input = input;
    this.#state = state;
    this.#observer = observer;
    this.#leg = input.grant;
    this.#order = this.#orderOf(input.grant);
    this.#provider = this.#order.home.entry.provider;
  }

  /** The model to ask for. */
  get model(): ServedModel {
    return this.#leg.model;
  }

  /** Somebody is left to ask, unless they turn out to be full. */
  get hasMore(): boolean {
    return this.#next < this.#order.targets.length || this.#legs < this.#input.grant.fallbacks.length;
  }

  /** The upstream to ask now, its place taken; undefined when nobody is left. The place of the one before is given back. */
  next(): UpstreamTarget | undefined {
    this.release();
    for (;;) {
      const target = this.#order.targets[this.#next++];
      if (target === undefined) {
        if (!this.#fallBack()) return undefined;
      } else if (this.#input.counting) {
        return target;
      } else if (!this.#isFull(target)) {
        this.#hold(target);
        return target;
      }
    }
  }

  /** The upstream asked last serves the call: the session stays there. */
  served(): void {
    const { session, routing, counting } = this.#input;
    const target = this.#holding;
    if (session === undefined || counting || target === undefined || this.#leg.candidates.length < 2) return;
    const { affinities } = this.#state;
    const place = placeKey(session, this.#leg.model);
    if (target !== this.#order.home || looksAtTheMoment(routing)) {
      const isReserve = this.#leg.candidates.some(({ entry }) => entry.priority < target.entry.priority);
      affinities.remember(place, target.key, !isReserve);
    } else if (affinities.size > 0) {
      affinities.forget(place);
    }
  }

  /** Gives the place at the upstream back; nothing happens when there is none. */
  release(): void {
    if (this.#holding === undefined) return;
    this.#state.loads.give(this.#holding.key);
    this.#holding = undefined;
  }

  #isFull({ key, entry }: UpstreamTarget): boolean {
    return entry.maxConcurrent !== undefined && this.#state.loads.of(key) >= entry.maxConcurrent;
  }

  #hold(target: UpstreamTarget): void {
    const { loads, turns } = this.#state;
    loads.take(target.key);
    this.#holding = target;
    if (this.#input.routing.strategy === 'RoundRobin') turns.took(target.key, this.#leg.model.id);
    const { provider } = target.entry;
    if (provider === this.#provider) return;
    this.#observer.crossing(this.#provider, provider);
    this.#provider = provider;
  }

  #fallBack(): boolean {
    const leg = this.#input.grant.fallbacks[this.#legs++];
    if (leg === undefined) return false;
    this.#observer.fallback(this.#leg.model.id, leg.model.id);
    this.#leg = leg;
    this.#order = this.#orderOf(leg);
    this.#next = 0;
    return true;
  }

  #orderOf({ model, candidates }: Leg): AttemptOrder {
    const { routing, session, hint, price } = this.#input;
    const { affinities } = this.#state;
    const asked: Asked = { model: model.id, routing, session, hint, price: (target) => price(target, model) };
    const place = session === undefined || affinities.size === 0 ? undefined : affinities.of(placeKey(session, model));
    return attemptOrder(candidates, asked, this.#state, place);
  }
}

/** A session may have a place for each of its models, as not every upstream serves all of them. */
function placeKey(session: string, { id }: ServedModel): string {
  return `${session}\n${id}`;
}
