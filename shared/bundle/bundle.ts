// The contract between the compile step and the data plane. Plain data, no secret in the bundle, nothing of Kubernetes but names.
// Durations are milliseconds and sizes bytes; defaults are applied. The data plane refuses a format it does not know and passes over members
// it does not know: a member that narrows what somebody may do therefore takes a new format, or an older pod would grant too much.
import type { BetaOverrides } from '#shared/catalog/beta-decision.ts';
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import type { PriceOverride, PriceText } from '#shared/catalog/price-text.ts';
import type { SecretText } from '#shared/secret-text.ts';
import type { CredentialConfig, CredentialRef } from './credential-config.ts';

export const BUNDLE_FORMAT = 1;

/** Everything of one Gateway but secrets and keys. */
export interface Bundle {
  readonly format: typeof BUNDLE_FORMAT;
  readonly gateway: GatewayConfig;
  readonly models: readonly CustomModel[];
  /** In order of precedence, the winner first. */
  readonly policies: readonly PolicyEntry[];
  readonly upstreams: readonly UpstreamEntry[];
  /** What the platform team lays over the built-in tables of models, prices and betas; valid. Absent: nothing. */
  readonly catalog?: CatalogOverlay;
}

export interface GatewayConfig {
  readonly name: string;
  readonly namespace: string;
  /** Without trailing slash. */
  readonly publicUrl: string;
  readonly environment?: string;
  readonly paused: boolean;
  readonly listen: {
    readonly port: number;
    readonly trustedProxies: readonly string[];
    readonly access: { readonly allow: readonly string[]; readonly deny: readonly string[] };
    readonly limits: {
      readonly maxBodyBytes: number;
      readonly maxHeaderBytes: number;
      readonly maxUrlBytes: number;
      readonly maxConcurrentUpstream: number;
      readonly maxQueued: number;
    };
    /** All in milliseconds. */
    readonly timeouts: Readonly<
      Record<'body' | 'queue' | 'connect' | 'firstByte' | 'streamIdle' | 'ping' | 'keepAlive' | 'drain', number>
    > & {
      /** Age at which a connection to an upstream takes no further calls. Earlier releases did not write it. Absent: five minutes. */
      readonly reconnect?: number;
    };
  };
  readonly virtualKeys: { readonly prefix: string; readonly onRevoke: 'Finish' | 'Cut' };
  /** Client formats served; absent: Anthropic alone. */
  readonly dialects?: readonly Dialect[];
  /** Paths that may stand in front of every door, without trailing slash. */
  readonly pathPrefixes?: readonly string[];
  readonly builtinModels: boolean;
  readonly routing: RoutingConfig;
  /** Absent: none. Without cycles. */
  readonly fallbacks?: readonly ModelFallback[];
  readonly defaultAccess: 'Deny' | 'Allow';
  readonly pricing: { readonly multiplier: string; readonly overrides: readonly PriceOverride[] };
  readonly proxy?: { readonly url: string; readonly noProxy: readonly string[] };
  readonly metrics: { readonly port: number; readonly principalLabel: 'None' | 'Hashed' | 'Name' };
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/** What clients speak. */
export type Dialect = 'Anthropic' | 'Bedrock' | 'Vertex' | 'Foundry' | 'ClaudePlatformAWS';

export type Strategy = 'Ordered' | 'Weighted' | 'RoundRobin' | 'LeastBusy' | 'Latency' | 'Cheapest';

/** Members that earlier releases did not write are optional. */
export interface RoutingConfig {
  readonly failoverOn: readonly FailoverCause[];
  readonly exposeUpstream: boolean;
  /** Absent: Weighted. */
  readonly strategy?: Strategy;
  /** Absent: Session. */
  readonly stickyBy?: 'Session' | 'Caller' | 'None';
  /** In lower case. */
  readonly hintHeader?: string;
}

/** What answers when every allowed upstream failed for a model. */
export interface ModelFallback {
  /** Id under which the failed model is routed. */
  readonly from: string;
  /** A name the Gateway serves: an entry of its own, a canonical id or a custom model. */
  readonly to: string;
}

export type FailoverCause = '5xx' | '429' | '401' | '403' | '404' | '501' | 'timeout';

/** A name of the platform team's own for a model (Gateway.spec.models.entries). */
export interface CustomModel {
  readonly id: string;
  readonly displayName: string;
  readonly description?: string;
  /** Canonical id where the built-in catalog knows the target, else the id of a custom model that an upstream maps. */
  readonly target: string;
}

export type Scope = 'read' | 'write';
export type Endpoint = 'Messages' | 'CountTokens' | 'Models';

export interface PolicyEntry {
  /** `namespace/name`: the rule id that audit records name. */
  readonly key: string;
  readonly namespace: string;
  readonly priority: number;
  /** Set on policies of another namespace than the Gateway's: they match only keys of that namespace and only narrow. */
  readonly tenant: boolean;
  readonly match: {
    readonly everyone: boolean;
    readonly groups?: readonly string[];
    /** Lower case, without leading `@`. */
    readonly emailDomains?: readonly string[];
    readonly users?: readonly string[];
    readonly keyLabels?: Readonly<Record<string, string>>;
    /**
     * Headers a call must carry, all of them, each with one of its values. Such a policy is a layer over those without: it only
     * narrows, because a client writes its headers itself.
     */
    readonly headers?: readonly HeaderMatch[];
  };
  /** Lower-case patterns; absent `allow` grants every model. */
  readonly models: { readonly allow?: readonly string[]; readonly deny: readonly string[] };
  /** Absent: every upstream of the Gateway's namespace. Otherwise exactly these, `namespace/name`, selectors already resolved. */
  readonly upstreams?: readonly string[];
  /** Upstreams in the regions of the policy, `namespace/name`; bounds what any matching policy chooses. Absent: no bound. */
  readonly within?: readonly string[];
  /** The regions behind `within`, patterns in lower case: places that clients name themselves are held against them. */
  readonly regions?: readonly string[];
  /** Calls for a model stay with one provider. */
  readonly oneProvider?: true;
  readonly network?: readonly string[];
  readonly scopes?: readonly Scope[];
  readonly denyMessage?: string;
}

export interface HeaderMatch {
  /** In lower case. */
  readonly name: string;
  /** Alternatives, compared to the letter. */
  readonly values: readonly string[];
}

export interface UpstreamEntry {
  /** `namespace/name`. */
  readonly key: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly provider: ProviderFamily;
  /** Without trailing slash. */
  readonly baseUrl: string;
  /** What the family needs to know beyond the URL; the member of the entry's provider, absent for the others. */
  readonly bedrock?: BedrockSettings;
  readonly vertex?: { readonly project: string; readonly location: string };
  readonly claudePlatformAws?: { readonly workspaceId: string };
  /** `us`: a deployment in the US data zone. */
  readonly foundry?: { readonly zone?: 'us' };
  readonly credential: CredentialConfig;
  readonly headers: readonly { readonly name: string; readonly credential: CredentialRef }[];
  /** The caller's name and address go along, for an upstream that the platform team runs itself. */
  readonly forwardsIdentity?: true;
  readonly tls?: UpstreamTls;
  readonly region?: string;
  readonly priority: number;
  readonly weight: number;
  /** Calls at once, per replica. */
  readonly maxConcurrent?: number;
  readonly models: readonly UpstreamModel[];
  /** The platform team's word on betas. */
  readonly betas?: BetaOverrides;
  /** Absent: the 1-hour prompt cache is taken. */
  readonly extendedCacheTtl?: false;
  readonly countTokens: boolean;
  readonly firstByteTimeout?: number;
  readonly connectRetries: number;
  readonly breaker: { readonly consecutiveFailures: number; readonly openFor: number };
  /** Absent: no probes. */
  readonly probe?: ProbeConfig;
}

/** Of Bedrock's runtime, whose Messages API is an entry of the family BedrockMantle with these settings. */
export interface BedrockSettings {
  readonly region: string;
  /** Which profile built-in models are called through: the closest geography, the world, or none. */
  readonly inference: 'Geo' | 'Global' | 'InRegion';
}

/** How the connection is secured beyond the default; verification is never off. */
export interface UpstreamTls {
  /** PEM certificates trusted instead of the public ones. */
  readonly ca?: CredentialRef;
  /** PEM certificate chain and key that the gateway presents. */
  readonly certificate?: CredentialRef;
  readonly key?: CredentialRef;
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export interface UpstreamModel {
  readonly id: string;
  readonly upstreamId: string;
  readonly price?: PriceText;
  /** Comes before that of the upstream. */
  readonly betas?: BetaOverrides;
}

/** When and how pods find out whether an upstream answers. */
export interface ProbeConfig {
  /** Milliseconds; 0 for only when something changed. */
  readonly interval: number;
  /** Model to ask for where listing models is not free or not offered; the cheapest one that is served when absent. */
  readonly model?: string;
  /** Changes when somebody asks for a probe. */
  readonly trigger?: string;
}

/** Secrets of one Gateway: the pepper of the key hashes and the values upstreams need. */
export interface Credentials {
  readonly pepper: SecretText;
  readonly values: Readonly<Record<CredentialRef, SecretText>>;
}

export interface KeyEntry {
  /** Keyed hash of the key value, 64 hex digits. The clear value is nowhere. */
  readonly hash: string;
  /** `namespace/name` of the VirtualKey: its id in audit, metrics and spend. */
  readonly key: string;
  readonly namespace: string;
  /** First characters of the value, for lists and logs. */
  readonly prefix: string;
  /** `name` is `namespace/name` where the key lives outside the Gateway's namespace, so nobody can be somebody else by writing a name. */
  readonly owner: { readonly type: 'User' | 'Team' | 'Service'; readonly name: string };
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'Active' | 'Disabled' | 'Revoked';
  /** Milliseconds since 1970, UTC. */
  readonly expiresAt?: number;
  readonly scopes: readonly Scope[];
  /** Lower-case patterns. */
  readonly models?: readonly string[];
  readonly network?: readonly string[];
  readonly endpoints?: readonly Endpoint[];
  /** Set on the secret that a rotation replaced: good until `expiresAt`, the end of grace. The new one is an entry with the same `key`. */
  readonly previous?: true;
  /** Set when the key names another environment than the Gateway's. */
  readonly foreignEnvironment?: string;
}
