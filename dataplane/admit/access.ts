// Access of one caller, from the policies that match. Selection: the first match by precedence, merged over `everyone` (allow lists
// replace, deny lists unite). Policies of another namespace, policies that look at headers, and the key itself, are further layers: every
// layer must agree, so none can grant more than the Gateway's own policies do.
import type { IncomingHttpHeaders } from 'node:http';
import type { GatewayConfig, KeyEntry, PolicyEntry, Scope } from '#shared/bundle/bundle.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { isAllowed, isDenied } from './model-rule.ts';
import type { ServedModel } from './models.ts';
import { carries, matches, winners } from './policy-match.ts';
import { NetworkList } from './network.ts';
import { PatternList } from './pattern.ts';
import { upstreamSet, within, type RegionBound, type UpstreamSet } from './upstream-set.ts';

/** Something a policy said, with the policy that an audit record names when it refuses. */
interface Said<T> {
  readonly rule: string;
  readonly value: T;
}

/** One voice in a decision, merged of the policies that win. Absent members have no opinion. */
interface Layer {
  readonly rule: string;
  readonly allow: Said<PatternList> | undefined;
  readonly deny: readonly Said<PatternList>[];
  readonly network: Said<NetworkList> | undefined;
  readonly scopes: Said<readonly Scope[]> | undefined;
  readonly denyMessage: string | undefined;
}

/** A refusal and who is behind it. */
export interface Denial {
  readonly rule: string;
  readonly denyMessage: string | undefined;
}

/** Where a model may be used. */
export interface Reach {
  /** Upstreams that serve the model and at which nobody denies it. */
  readonly upstreams: readonly UpstreamTarget[];
  /** Who denies the model, when that is why no upstream is left. */
  readonly denial: Denial | undefined;
}

/** What one group of callers may do; shared by every key that matches the same policies. */
export class Access {
  /** The policy that governs. */
  readonly rule: string;
  readonly upstreams: readonly UpstreamTarget[];
  /** The policy behind the choice of upstreams. */
  readonly upstreamRule: string;
  /** Policies say more of upstreams than nothing: others may exist that this caller may not use. */
  readonly bounded: boolean;
  /** Calls for a model stay with one provider. */
  readonly oneProvider: boolean;
  /** Places that the policies allow, in bounds that hold together. */
  readonly regions: readonly RegionBound[];
  /** What holds without headers, where they narrowed it. */
  readonly base: Access | undefined;
  readonly #layers: readonly Layer[];
  readonly #reaches = new Map<string, Reach>();

  constructor(layers: readonly Layer[], { upstreams, rule, oneProvider, regions }: UpstreamSet, base?: Access) {
    this.base = base;
    this.rule = layers[0]?.rule ?? 'default';
    this.#layers = layers;
    this.upstreams = upstreams;
    this.upstreamRule = rule ?? this.rule;
    this.bounded = rule !== undefined;
    this.oneProvider = oneProvider;
    this.regions = regions;
  }

  /** The same, narrowed by further layers to an upstream set within this one's. */
  with(layers: readonly Layer[], set: UpstreamSet): Access {
    return new Access([...this.#layers, ...layers], set, this);
  }

  deniedNetwork(address: string): Denial | undefined {
    return this.#denial(({ network }) => (network === undefined || network.value.has(address) ? undefined : network));
  }

  deniedScope(scope: Scope): Denial | undefined {
    return this.#denial(({ scopes }) => (scopes === undefined || scopes.value.includes(scope) ? undefined : scopes));
  }

  reach(model: ServedModel): Reach {
    let reach = this.#reaches.get(model.listedId);
    if (reach === undefined) {
      const serving = this.upstreams.filter((upstream) => upstream.serves(model));
      reach = narrow(serving, (upstream) => this.#denial((layer) => refusalOf(layer, model, upstream)));
      this.#reaches.set(model.listedId, reach);
    }
    return reach;
  }

  #denial(refusal: (layer: Layer) => Said<unknown> | undefined): Denial | undefined {
    for (const layer of this.#layers) {
      const said = refusal(layer);
      if (said !== undefined) return { rule: said.rule, denyMessage: layer.denyMessage };
    }
    return undefined;
  }

  /** The sentence of the policy team, for refusals that no single layer decides. */
  get denyMessage(): string | undefined {
    return this.#layers.find(({ denyMessage }) => denyMessage !== undefined)?.denyMessage;
  }
}

/**
 * The upstreams at which nobody refuses.
 * @param refuser who refuses at an upstream, or, with none at hand, by the name alone
 */
export function narrow(
  upstreams: readonly UpstreamTarget[],
  refuser: (upstream: string | undefined) => Denial | undefined,
): Reach {
  const left = upstreams.filter(({ key }) => refuser(key) === undefined);
  return { upstreams: left, denial: left.length > 0 ? undefined : refuser(upstreams[0]?.key) };
}

function refusalOf({ allow, deny }: Layer, model: ServedModel, upstream: string | undefined) {
  const denied = deny.find(({ value }) => isDenied(value, model, upstream));
  return denied ?? (allow === undefined || isAllowed(allow.value, model, upstream) ? undefined : allow);
}

/** What the policies without headers say of a key. */
interface Selected {
  readonly access: Access | undefined;
  /** Stands for the policies behind it. */
  readonly profile: string;
}

/** What the key itself narrows, compiled once per key and configuration. */
export interface KeyLimits {
  readonly network: NetworkList | undefined;
  readonly models: PatternList | undefined;
}

const NO_LIMITS: KeyLimits = { network: undefined, models: undefined };

/** Combinations of headers that are remembered; a client writes them itself, and sending ever new ones only empties the memory. */
const MOST_NARROWED = 1024;

/** All policies of one configuration, with the answers found so far. */
export class AccessBook {
  readonly #gateway: GatewayConfig;
  readonly #own: readonly PolicyEntry[];
  readonly #tenants: readonly PolicyEntry[];
  /** Of all namespaces; most Gateways have none. */
  readonly #byHeader: readonly PolicyEntry[];
  readonly #upstreams: readonly UpstreamTarget[];
  readonly #profiles = new Map<string, Access | undefined>();
  readonly #byKey = new WeakMap<KeyEntry, Selected>();
  /** Policies that count for a key as soon as a call carries their headers. */
  readonly #headerPolicies = new WeakMap<KeyEntry, readonly PolicyEntry[]>();
  readonly #narrowed = new Map<string, Access>();
  readonly #limits = new WeakMap<KeyEntry, KeyLimits>();

  constructor(gateway: GatewayConfig, policies: readonly PolicyEntry[], upstreams: readonly UpstreamTarget[]) {
    this.#gateway = gateway;
    const always = policies.filter(({ match }) => match.headers === undefined);
    this.#own = always.filter(({ tenant }) => !tenant);
    this.#tenants = always.filter(({ tenant }) => tenant);
    this.#byHeader = policies.filter(({ match }) => match.headers !== undefined);
    this.#upstreams = upstreams;
  }

  /**
   * What a key's holder may do, or undefined when no policy matches and the Gateway's default is Deny.
   * @param headers of the call: what a policy without headers grants, they can narrow and nothing else
   */
  of(key: KeyEntry, headers: IncomingHttpHeaders): Access | undefined {
    const known = this.#byKey.get(key) ?? this.#remember(key);
    if (this.#byHeader.length === 0 || known.access === undefined) return known.access;
    const narrowing = this.#narrowing(key).filter(({ match }) => carries(headers, match.headers!));
    return narrowing.length === 0 ? known.access : this.#narrow(known.access, known.profile, narrowing);
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

  #remember(key: KeyEntry): Selected {
    const selected = this.#select(key);
    this.#byKey.set(key, selected);
    return selected;
  }

  #narrowing(key: KeyEntry): readonly PolicyEntry[] {
    let policies = this.#headerPolicies.get(key);
    if (policies === undefined) {
      policies = this.#byHeader.filter(
        (policy) =>
          (!policy.tenant || policy.namespace === key.namespace) &&
          (policy.match.everyone || matches(policy, key, this.#gateway.namespace)),
      );
      this.#headerPolicies.set(key, policies);
    }
    return policies;
  }

  /** Each policy is a layer of its own: none overrides another, or a further header could lift what the first one narrowed. */
  #narrow(access: Access, profile: string, policies: readonly PolicyEntry[]): Access {
    const name = [profile, ...policies.map(({ key }) => key)].join(' ');
    let narrowed = this.#narrowed.get(name);
    if (narrowed === undefined) {
      narrowed = access.with(
        policies.map((policy) => layerOf([policy])),
        within(access, policies),
      );
      if (this.#narrowed.size >= MOST_NARROWED) this.#narrowed.clear();
      this.#narrowed.set(name, narrowed);
    }
    return narrowed;
  }

  #select(key: KeyEntry): Selected {
    const own = winners(this.#own, key, this.#gateway.namespace);
    const tenant = winners(
      this.#tenants.filter(({ namespace }) => namespace === key.namespace),
      key,
      this.#gateway.namespace,
    );
    const profile = [...own, '', ...tenant].map((policy) => (typeof policy === 'string' ? '|' : policy.key)).join(' ');
    if (!this.#profiles.has(profile)) this.#profiles.set(profile, this.#build(own, tenant));
    return { access: this.#profiles.get(profile), profile };
  }

  #build(own: readonly PolicyEntry[], tenant: readonly PolicyEntry[]): Access | undefined {
    if (own.length === 0 && this.#gateway.defaultAccess === 'Deny') return undefined;
    const set = upstreamSet(this.#gateway.namespace, own, tenant, this.#upstreams);
    const layers = [own, tenant].filter((policies) => policies.length > 0).map(layerOf);
    return new Access(layers, set);
  }
}

/** Merges winner over base: the first opinion counts, deny lists unite. */
function layerOf(policies: readonly PolicyEntry[]): Layer {
  return {
    rule: policies[0]?.key ?? 'default',
    allow: said(policies, ({ models }) => models.allow && new PatternList(models.allow)),
    deny: policies.map(({ key, models }) => ({ rule: key, value: new PatternList(models.deny) })),
    network: said(policies, ({ network }) => network && new NetworkList(network)),
    scopes: said(policies, ({ scopes }) => scopes),
    denyMessage: said(policies, ({ denyMessage }) => denyMessage)?.value,
  };
}

/** The first policy with an opinion. */
function said<T>(
  policies: readonly PolicyEntry[],
  opinion: (policy: PolicyEntry) => T | undefined,
): Said<T> | undefined {
  for (const policy of policies) {
    const value = opinion(policy);
    if (value !== undefined) return { rule: policy.key, value };
  }
  return undefined;
}
