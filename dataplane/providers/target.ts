// One upstream, ready to be called: its entry, the family it belongs to, its credential, and what it calls each model.
import type { Credentials, GatewayConfig, UpstreamEntry } from '#shared/bundle/bundle.ts';
import { betaDecider, type BetaOverrides } from '#shared/catalog/beta-decision.ts';
import type { BetaTable } from '#shared/catalog/betas.ts';
import { familyFacts } from '#shared/catalog/families.ts';
import { builtinTables, type CatalogTables } from '#shared/catalog/overlay.ts';
import type { ServedModel } from '../admit/models.ts';
import { credentialSpec } from '../credentials/config.ts';
import { holdsSecret } from '../credentials/leak.ts';
import type { CredentialSource } from '../credentials/source.ts';
import type { CredentialSpec } from '../credentials/sources.ts';
import { BodyRules } from './body-rules.ts';
import { providerOf } from './families.ts';
import { tlsOf, type UpstreamTls } from '../route/upstream-tls.ts';
import type { Operation, Provider } from './provider.ts';

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
  /** How connections are secured beyond the default, for the connection pool too. */
  readonly tls: UpstreamTls | undefined;
  /** Path in front of the provider's own, `''` for most. */
  readonly pathPrefix: string;
  readonly #catalog: CatalogTables;
  readonly #mapped = new Map<string, string>();
  readonly #headers: FixedHeaders;
  /** What the family calls the models of the catalog, as far as anybody asked. */
  readonly #known = new Map<string, string | undefined>();
  readonly #rules: OperationRules;
  readonly #rulesOf = new Map<string, OperationRules>();

  constructor(
    entry: UpstreamEntry,
    credentials: Credentials,
    credential: CredentialSource,
    catalog: CatalogTables = builtinTables,
  ) {
    const url = new URL(entry.baseUrl);
    this.key = entry.key;
    this.entry = entry;
    this.provider = providerOf(entry.provider);
    this.credential = credential;
    this.#catalog = catalog;
    this.origin = url.origin;
    this.tls = tlsOf(entry, credentials);
    this.pathPrefix = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '');
    const general = entry.betas === undefined ? [] : [entry.betas];
    this.#rules = operationRules(entry, catalog.betas, general);
    for (const { id, upstreamId, betas } of entry.models) {
      this.#mapped.set(id, upstreamId);
      if (betas !== undefined) this.#rulesOf.set(id, operationRules(entry, catalog.betas, [betas, ...general]));
    }
    this.#headers = new FixedHeaders(entry, credentials);
  }

  /** What the Gateway knows of models, prices and betas. */
  get catalog(): CatalogTables {
    return this.#catalog;
  }

  /** Built-in models are served where the family has them, others only where they are mapped. */
  serves(model: ServedModel): boolean {
    return this.modelId(model) !== undefined;
  }

  /** What this upstream calls a model; undefined when it does not serve it. */
  modelId(model: ServedModel): string | undefined {
    return this.#mapped.get(model.id) ?? (model.builtin ? this.#knownId(model.id) : undefined);
  }

  #knownId(id: string): string | undefined {
    if (this.#known.has(id)) return this.#known.get(id);
    const known = this.provider.modelId(id, this.entry, this.catalog.models);
    this.#known.set(id, known);
    return known;
  }

  /** What this upstream calls a model, where the platform team said so. */
  mappedId(model: ServedModel): string | undefined {
    return this.#mapped.get(model.id);
  }

  /** What becomes of bodies and betas on the way to a model. */
  rulesFor(model: ServedModel, operation: Operation): BodyRules {
    return (this.#rulesOf.get(model.id) ?? this.#rules)[operation];
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

type OperationRules = Readonly<Record<Operation, BodyRules>>;

function operationRules(
  { provider, extendedCacheTtl }: UpstreamEntry,
  table: BetaTable,
  overrides: readonly BetaOverrides[],
): OperationRules {
  const without = extendedCacheTtl === false ? table.extendedCacheTtl : [];
  const rules = (layers: readonly BetaOverrides[]): BodyRules =>
    new BodyRules(provider, betaDecider(table, provider, layers, without));
  const { countBetas } = familyFacts[provider];
  const messages = rules(overrides);
  // Where counting knows betas of its own, it knows no other.
  return {
    messages,
    count: countBetas === undefined ? messages : rules([{ allow: countBetas }, { deny: ['*'] }]),
  };
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

/**
 * @param open gives the credential of each, by key
 * @param catalog of the Gateway
 */
export function upstreamTargets(
  entries: readonly UpstreamEntry[],
  credentials: Credentials,
  open: OpenCredentials,
  proxy?: GatewayConfig['proxy'],
  catalog: CatalogTables = builtinTables,
): UpstreamTarget[] {
  const sources = open(new Map(entries.map((entry) => [entry.key, credentialSpec(entry, credentials)])), proxy);
  return entries.map((entry) => new UpstreamTarget(entry, credentials, sources.get(entry.key)!, catalog));
}
