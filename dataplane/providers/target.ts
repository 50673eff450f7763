// One upstream, ready to be called: its entry, its secrets unpacked into headers, and what it calls each model.
import type { Credentials, UpstreamEntry } from '#shared/bundle/bundle.ts';
import type { ServedModel } from '../admit/models.ts';

export class UpstreamTarget {
  readonly key: string;
  readonly entry: UpstreamEntry;
  /** Scheme, host and port, for the connection pool. */
  readonly origin: string;
  /** Path in front of the provider's own, `''` for most. */
  readonly pathPrefix: string;
  readonly #mapped = new Map<string, string>();
  /** Names and values in turn. Private, so that no log or inspection of a target shows them. */
  readonly #headers: readonly string[];

  constructor(entry: UpstreamEntry, credentials: Credentials) {
    const url = new URL(entry.baseUrl);
    this.key = entry.key;
    this.entry = entry;
    this.origin = url.origin;
    this.pathPrefix = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '');
    for (const { id, upstreamId } of entry.models) this.#mapped.set(id, upstreamId);
    this.#headers = credentialHeaders(entry, credentials);
  }

  /** Built-in models are served by every upstream, others only where they are mapped. */
  serves(model: ServedModel): boolean {
    return model.builtin || this.#mapped.has(model.id);
  }

  /** What this upstream calls a model, where the platform team said so. */
  mappedId(model: ServedModel): string | undefined {
    return this.#mapped.get(model.id);
  }

  /** Adds the credential and the configured headers, names and values in turn. */
  appendHeaders(headers: string[]): void {
    headers.push(...this.#headers);
  }

  /** True when a body or header value holds one of this upstream's secrets; such a thing is not passed on. */
  leaksInto(body: Buffer | string): boolean {
    for (let i = 1; i < this.#headers.length; i += 2) {
      const secret = this.#headers[i]!.replace(/^Bearer /, '');
      if (secret.length >= 8 && body.includes(secret)) return true;
    }
    return false;
  }

  /** True for headers this upstream sets itself; a client's value for them is not forwarded. */
  setsHeader(name: string): boolean {
    for (let i = 0; i < this.#headers.length; i += 2) if (this.#headers[i] === name) return true;
    return false;
  }
}

function credentialHeaders({ auth, headers }: UpstreamEntry, credentials: Credentials): string[] {
  const reveal = (ref: string): string => credentials.values[ref]?.reveal() ?? '';
  const custom = headers.flatMap(({ name, credential }) => [name, reveal(credential)]);
  switch (auth.type) {
    case 'APIKey':
      return ['x-api-key', reveal(auth.credential), ...custom];
    case 'BearerToken':
      return ['authorization', `Bearer ${reveal(auth.credential)}`, ...custom];
    case 'Headers':
      return custom;
  }
}

export function upstreamTargets(entries: readonly UpstreamEntry[], credentials: Credentials): UpstreamTarget[] {
  return entries.map((entry) => new UpstreamTarget(entry, credentials));
}
