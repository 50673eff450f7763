// admit: principal + request → grant, or 403/400. The order is fixed (AUTHZ-20): key state, client network, scope, model, upstream set.
// Authentication came before; rate limits and budgets follow behind the upstream set, forwarding last.
import type { IncomingHttpHeaders } from 'node:http';
import type { Endpoint, Scope } from '#shared/bundle/bundle.ts';
import type { Settings } from '../config/snapshot.ts';
import { refuse } from '../errors.ts';
import { checkState } from '../identify/identify.ts';
import type { Principal } from '../identify/principal.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { narrow, type Access, type Denial, type Reach } from './access.ts';
import { isAllowed } from './model-rule.ts';
import type { ServedModel } from './models.ts';
import { ofOneProvider } from './upstream-set.ts';

/** One model, and the upstreams that may and can serve it; at least one. */
export interface Leg {
  readonly model: ServedModel;
  readonly candidates: readonly UpstreamTarget[];
}

/** What may happen now. */
export interface Grant extends Leg {
  readonly access: Access;
  /** What may happen instead when no candidate could serve, in order. */
  readonly fallbacks: readonly Leg[];
}

const NO_FALLBACKS: readonly Leg[] = [];

/**
 * The steps that need no body.
 * @param headers of the call, for policies that look at them
 * @throws {GatewayError} 403
 */
export function admitCaller(
  settings: Settings,
  principal: Principal,
  address: string,
  endpoint: Endpoint | undefined,
  scope: Scope,
  headers: IncomingHttpHeaders,
): Access {
  const { key } = principal;
  checkState(key, settings.gateway.environment);
  const access = settings.access.of(key, headers);
  if (access === undefined) {
    throw refuse.forbidden('no_policy', 'no policy of this gateway covers this key: ask your platform team', key.key);
  }
  const ofKey: Denial = { rule: key.key, denyMessage: access.denyMessage };
  const { network } = settings.access.limitsOf(key);
  if (network !== undefined && !network.has(address)) {
    throw forbidden('network', `this key may not be used from ${address}`, ofKey);
  }
  const elsewhere = access.deniedNetwork(address);
  if (elsewhere !== undefined) throw forbidden('network', `access from ${address} is not allowed`, elsewhere);
  if (!key.scopes.includes(scope)) throw forbidden('scope', `this key lacks the scope ${scope}`, ofKey);
  const scoped = access.deniedScope(scope);
  if (scoped !== undefined) throw forbidden('scope', `your policy does not grant the scope ${scope}`, scoped);
  if (endpoint !== undefined && key.endpoints !== undefined && !key.endpoints.includes(endpoint)) {
    throw forbidden('endpoint', `this key may not use the endpoint ${endpoint}`, ofKey);
  }
  return access;
}

/**
 * The steps that need the model.
 * @param name the model as sent
 * @param counting token counting skips upstreams that cannot count
 * @throws {GatewayError} 400 for a denied or unknown model, 403 when no upstream may be used, 404 when none can count
 */
export function admitModel(
  settings: Settings,
  principal: Principal,
  access: Access,
  name: string,
  counting: boolean,
): Grant {
  const model = settings.models.resolve(name);
  if (model === undefined) {
    throw refuse.badRequest(
      'unknown_model',
      `model ${printable(name)} is not known to this gateway: GET /v1/models lists what you may use`,
    );
  }
  const { upstreams, denial } = reachOf(settings, principal, access, model);
  if (denial !== undefined) {
    const message = withAdvice(`model ${printable(name)} is not allowed for you`, denial);
    throw refuse.badRequest('denied_model', message, denial.rule);
  }
  const ofPolicy: Denial = { rule: access.upstreamRule, denyMessage: access.denyMessage };
  if (access.upstreams.length === 0) {
    throw forbidden('no_upstream', 'no upstream of this gateway is granted to you', ofPolicy);
  }
  const bounded = access.oneProvider ? stayingPut(settings, principal, access, model, upstreams) : upstreams;
  if (bounded.length === 0) {
    const message = `model ${printable(name)} is served by no upstream you may use`;
    throw refuse.badRequest('unrouted_model', withAdvice(message, ofPolicy), ofPolicy.rule);
  }
  const candidates = counting ? bounded.filter(({ entry }) => entry.countTokens) : bounded;
  if (candidates.length === 0)
    throw refuse.notFound('count_unavailable', 'token counting is not available for this model');
  const fallbacks = counting ? NO_FALLBACKS : fallbacksOf(settings, principal, access, { model, candidates });
  return { access, model, candidates, fallbacks };
}

/** Those of the caller's one provider, which is the same whatever headers a call carries. */
function stayingPut(
  settings: Settings,
  principal: Principal,
  { base }: Access,
  model: ServedModel,
  upstreams: readonly UpstreamTarget[],
): readonly UpstreamTarget[] {
  const among = base?.oneProvider === true ? reachOf(settings, principal, base, model).upstreams : upstreams;
  return ofOneProvider(upstreams, principal.id, among);
}

/** The fallbacks of a model that the caller may use too. Who may not leave a provider may not leave it for another model either. */
function fallbacksOf(settings: Settings, principal: Principal, access: Access, { model, candidates }: Leg) {
  const models = settings.fallbacks.of(model);
  if (models.length === 0) return NO_FALLBACKS;
  const legs: Leg[] = [];
  for (const each of models) {
    const { upstreams } = reachOf(settings, principal, access, each);
    const { provider } = candidates[0]!.entry;
    const allowed = access.oneProvider ? upstreams.filter(({ entry }) => entry.provider === provider) : upstreams;
    if (allowed.length > 0) legs.push({ model: each, candidates: allowed });
  }
  return legs;
}

/** Where the policies and the key itself let a caller use a model. */
export function reachOf(settings: Settings, principal: Principal, access: Access, model: ServedModel): Reach {
  const reach = access.reach(model);
  const { models } = settings.access.limitsOf(principal.key);
  if (models === undefined || reach.denial !== undefined) return reach;
  const denial = { rule: principal.key.key, denyMessage: access.denyMessage };
  return narrow(reach.upstreams, (upstream) => (isAllowed(models, model, upstream) ? undefined : denial));
}

function forbidden(reason: string, message: string, denial: Denial) {
  return refuse.forbidden(reason, withAdvice(message, denial), denial.rule);
}

/** What, and whom to ask. */
function withAdvice(message: string, { denyMessage }: Denial): string {
  return denyMessage === undefined ? `${message}: ask your platform team` : `${message}. ${denyMessage}`;
}

/** Model names come from outside: shown shortened and without control characters. */
function printable(name: string): string {
  return JSON.stringify(name.length > 128 ? `${name.slice(0, 128)}…` : name).slice(1, -1);
}
