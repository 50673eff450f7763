// Access of one caller, from the policies that match. Selection: the first match by precedence, merged over `everyone` (allow lists
// replace, deny lists unite). Policies of another namespace, and the key itself, are further layers: every layer must agree, so
// neither can grant more than the Gateway's own policies do.
import type { GatewayConfig, KeyEntry, PolicyEntry, Scope } from '#shared/bundle/bundle.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import type { ServedModel } from './models.ts';
import { NetworkList } from './network.ts';
import { PatternList } from './pattern.ts';

/** One voice in a decision. Absent members have no opinion. */
interface Layer {
  /** What an audit record names when this layer refuses. */
  readonly rule: string;
  readonly allow: PatternList | undefined;
  readonly deny: PatternList;
  readonly network: NetworkList | undefined;
  readonly scopes: readonly Scope[] | undefined;
  readonly denyMessage: string | undefined;
}

/** A refusal and who is behind it. */
export interface Denial {
  readonly rule: string;
  readonly denyMessage: string | undefined;
}

/** What one group of callers may do; shared by every key that matches the same policies. */
export class Access {
  readonly rule: string;
  readonly upstreams: readonly UpstreamTarget[];
  readonly #layers: readonly Layer[];
  readonly #modelDenials = new Map<string, Denial | undefined>();

  constructor(layers: readonly Layer[], upstreams: readonly UpstreamTarget[]) {
    this.rule = layers[0]?.rule ?? 'default';
    this.#layers = layers;
    this.upstreams = upstreams;
  }

  deniedNetwork(address: string): Denial | undefined {
    return this.#layers.find(({ network }) => network !== undefined && !network.has(address));
  }

  deniedScope(scope: Scope): Denial | undefined {
    return this.#layers.find(({ scopes }) => scopes !== undefined && !scopes.includes(scope));
  }

  deniedModel(model: ServedModel): Denial | undefined {
    if (this.#modelDenials.has(model.listedId)) return this.#modelDenials.get(model.listedId);
    const denial = this.#layers.find((layer) => refusesModel(layer, model));
    this.#modelDenials.set(model.listedId, denial);
    return denial;
  }

  /** The sentence of the policy team, for refusals that no single layer decides. */
  get denyMessage(): string | undefined {
    return this.#layers.find(({ denyMessage }) => denyMessage !== undefined)?.denyMessage;
  }
}

function refusesModel({ allow, deny }: Layer, { names }: ServedModel): boolean {
  return deny.match(names) !== undefined || (allow !== undefined && allow.match(names) === undefined);
}

/** What the key itself narrows, compiled once per key and configuration. */
export interface KeyLimits {
  readonly network: NetworkList | undefined;
  readonly models: PatternList | undefined;
}

const NO_LIMITS: KeyLimits = { network: undefined, models: undefined };

/** All policies of one configuration, with the answers found so far. */
export class AccessBook {
  readonly #gateway: GatewayConfig;
  readonly #own: readonly PolicyEntry[];
  readonly #tenants: readonly PolicyEntry[];
  readonly #upstreams: readonly UpstreamTarget[];
  readonly #profiles = new Map<string, Access | undefined>();
  readonly #byKey = new WeakMap<KeyEntry, { readonly access: Access | undefined }>();
  readonly #limits = new WeakMap<KeyEntry, KeyLimits>();

  constructor(gateway: GatewayConfig, policies: readonly PolicyEntry[], upstreams: readonly UpstreamTarget[]) {
    this.#gateway = gateway;
    this.#own = policies.filter(({ tenant }) => !tenant);
    this.#tenants = policies.filter(({ tenant }) => tenant);
    this.#upstreams = upstreams;
  }

  /** What a key's holder may do, or undefined when no policy matches and the Gateway's default is Deny. */
  of(key: KeyEntry): Access | undefined {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.access;
    const access = this.#select(key);
    this.#byKey.set(key, { access });
    return access;
  }

  limitsOf(key: KeyEntry): KeyLimits {
    if (key.network === undefined && key.models === undefined) return NO_LIMITS;
    let limits = this.#limits.get(key);
    if (limits === undefined) {
      limits = {
        network: key.network && new NetworkList(key.network),
        models: key.models && new PatternList(key.models),
      };
      this.#limits.set(key, limits);
    }
    return limits;
  }

  #select(key: KeyEntry): Access | undefined {
    const own = winners(this.#own, key, this.#gateway.namespace);
    const tenant = winners(
      this.#tenants.filter(({ namespace }) => namespace === key.namespace),
      key,
      this.#gateway.namespace,
    );
    const profile = [...own, '', ...tenant].map((policy) => (typeof policy === 'string' ? '|' : policy.key)).join(' ');
    if (!this.#profiles.has(profile)) this.#profiles.set(profile, this.#build(own, tenant));
    return this.#profiles.get(profile);
  }

  #build(own: readonly PolicyEntry[], tenant: readonly PolicyEntry[]): Access | undefined {
    const layers: Layer[] = [];
    const ownNamespace = this.#upstreams.filter(({ entry }) => entry.namespace === this.#gateway.namespace);
    let upstreams: readonly UpstreamTarget[] = ownNamespace;
    if (own.length > 0) {
      layers.push(layerOf(own));
      const named = own.find((policy) => policy.upstreams !== undefined)?.upstreams;
      if (named !== undefined) upstreams = this.#upstreams.filter(({ key }) => named.includes(key));
    } else if (this.#gateway.defaultAccess === 'Deny') {
      return undefined;
    }
    if (tenant.length > 0) {
      layers.push(layerOf(tenant));
      const named = tenant.find((policy) => policy.upstreams !== undefined)?.upstreams;
      if (named !== undefined) upstreams = upstreams.filter(({ key }) => named.includes(key));
    }
    return new Access(layers, upstreams);
  }
}

/** The first specific match and the first `everyone`, in the order in which they override each other. */
function winners(policies: readonly PolicyEntry[], key: KeyEntry, gatewayNamespace: string): PolicyEntry[] {
  const specific = policies.find(({ match }) => !match.everyone && matches(match, key, gatewayNamespace));
  const everyone = policies.find(({ match }) => match.everyone);
  return [specific, everyone].filter((policy) => policy !== undefined);
}

function matches(match: PolicyEntry['match'], key: KeyEntry, gatewayNamespace: string): boolean {
  const { type, name } = key.owner;
  // Owner names of other namespaces are qualified; their e-mail domain was written by somebody who need not own it.
  const domain = type === 'User' && key.namespace === gatewayNamespace ? name.split('@')[1]?.toLowerCase() : undefined;
  if (match.groups !== undefined && !(type === 'Team' && match.groups.includes(name))) return false;
  if (match.users !== undefined && !(type === 'User' && includesName(match.users, name))) return false;
  if (match.emailDomains !== undefined && !(domain !== undefined && match.emailDomains.includes(domain))) return false;
  return Object.entries(match.keyLabels ?? {}).every(([label, value]) => key.labels[label] === value);
}

/** E-mail addresses are compared without case, as the people who write them do. */
function includesName(names: readonly string[], name: string): boolean {
  return (
    names.includes(name) || (name.includes('@') && names.some((each) => each.toLowerCase() === name.toLowerCase()))
  );
}

/** Merges winner over base: the first opinion counts, deny lists unite. */
function layerOf(policies: readonly PolicyEntry[]): Layer {
  const allow = policies.find(({ models }) => models.allow !== undefined)?.models.allow;
  const network = policies.find((policy) => policy.network !== undefined)?.network;
  return {
    rule: policies[0]?.key ?? 'default',
    allow: allow && new PatternList(allow),
    deny: new PatternList(policies.flatMap(({ models }) => models.deny)),
    network: network && new NetworkList(network),
    scopes: policies.find(({ scopes }) => scopes !== undefined)?.scopes,
    denyMessage: policies.find(({ denyMessage }) => denyMessage !== undefined)?.denyMessage,
  };
}
