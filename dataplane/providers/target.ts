// One upstream, ready to be called: its entry, the family it belongs to, its credential, and what it calls each model.
import type { Credentials, GatewayConfig, UpstreamEntry } from '#shared/bundle/bundle.ts';
import { betaDecider } from '#shared/catalog/beta-decision.ts';
import { builtinBetas } from '#shared/catalog/betas.ts';
import type { ServedModel } from '../admit/models.ts';
import { credentialSpec } from '../credentials/config.ts';
import { holdsSecret } from '../credentials/leak.ts';
import type { CredentialSource } from '../credentials/source.ts';
import type { CredentialSpec } from '../credentials/sources.ts';
import { BodyRules } from './body-rules.ts';
import { providerOf } from './families.ts';
import type { Provider } from './provider.ts';

/**
 * Opens credentials, or takes over those that are open and did not change. By upstream key.
 * @param proxy the Gateway's, for token endpoints
 */
export type OpenCredentials = (
  specs: ReadonlyMap<string, CredentialSpec>,
  proxy: GatewayConfig['proxy'],
) => ReadonlyMap<string, CredentialSource>;

export class UpstreamTarget {
  readonly key: string;
  readonly entry: UpstreamEntry;
  readonly provider: Provider;
  readonly credential: CredentialSource;
  /** Scheme, host and port, for the connection pool. */
  readonly origin: string;
  /** Path in front of the provider's own, `''` for most. */
  readonly pathPrefix: string;
  readonly #mapped = new Map<string, string>();
  readonly #headers: FixedHeaders;
  readonly #rules: BodyRules;
  readonly #rulesOf = new Map<string, BodyRules>();

  constructor(entry: UpstreamEntry, credentials: Credentials, credential: CredentialSource) {
    const url = new URL(entry.baseUrl);
    this.key = entry.key;
    this.entry = entry;
    this.provider = providerOf(entry.provider);
    this.credential = credential;
    this.origin = url.origin;
    this.pathPrefix = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '');
    const general = entry.betas === undefined ? [] : [entry.betas];
    this.#rules = new BodyRules(entry.provider, betaDecider(builtinBetas, entry.provider, general));
    for (const { id, upstreamId, betas } of entry.models) {
      this.#mapped.set(id, upstreamId);
      if (betas === undefined) continue;
      const decide = betaDecider(builtinBetas, entry.provider, [betas, ...general]);
      this.#rulesOf.set(id, new BodyRules(entry.provider, decide));
    }
    this.#headers = new FixedHeaders(entry, credentials);
  }

  /** Built-in models are served where the family has them, others only where they are mapped. */
  serves(model: ServedModel): boolean {
    return this.modelId(model) !== undefined;
  }

  /** What this upstream calls a model; undefined when it does not serve it. */
  modelId(model: ServedModel): string | undefined {
    return this.#mapped.get(model.id) ?? (model.builtin ? this.provider.modelId(model.id, this.entry) : undefined);
  }

  /** What this upstream calls a model, where the platform team said so. */
  mappedId(model: ServedModel): string | undefined {
    return this.#mapped.get(model.id);
  }

  /** What becomes of bodies and betas on the way to a model. */
  rulesFor(model: ServedModel): BodyRules {
    return this.#rulesOf.get(model.id) ?? this.#rules;
  }

  /** Adds the configured headers, names and values in turn. */
  appendHeaders(headers: string[]): void {
    this.#headers.appendTo(headers);
  }

  /** True when a body or header value holds one of this upstream's secrets; such a thing is not passed on. */
  leaksInto(text: Buffer | string): boolean {
    return this.credential.leaksInto(text) || this.#headers.leakInto(text);
  }

  /** True for headers this upstream sets itself; a client's value for them is not forwarded. */
  setsHeader(name: string): boolean {
    return this.credential.setsHeader(name) || this.#headers.has(name);
  }
}

/** Headers with values from Secrets, which no log or inspection shows. */
class FixedHeaders {
  readonly #names: ReadonlySet<string>;
  readonly #values: readonly (readonly [name: string, value: Credentials['pepper']])[];

  constructor({ headers }: UpstreamEntry, { values }: Credentials) {
    this.#values = headers.flatMap(({ name, credential }) => {
      const value = values[credential];
      return value === undefined ? [] : [[name, value] as const];
    });
    this.#names = new Set(headers.map(({ name }) => name));
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  appendTo(headers: string[]): void {
    for (const [name, value] of this.#values) headers.push(name, value.reveal());
  }

  leakInto(text: Buffer | string): boolean {
    return this.#values.some(([, value]) => holdsSecret(text, value));
  }
}

/** @param open gives the credential of each, by key */
export function upstreamTargets(
  entries: readonly UpstreamEntry[],
  credentials: Credentials,
  open: OpenCredentials,
  proxy?: GatewayConfig['proxy'],
): UpstreamTarget[] {
  const sources = open(new Map(entries.map((entry) => [entry.key, credentialSpec(entry, credentials)])), proxy);
  return entries.map((entry) => new UpstreamTarget(entry, credentials, sources.get(entry.key)!));
}
