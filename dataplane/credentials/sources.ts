// The credentials of all upstreams, kept across configurations: what did not change lives on with its tokens, what changed is opened anew,
// what no configuration names any more is closed.
import { createHash } from 'node:crypto';
import { canonicalJson } from '#shared/canonical-json.ts';
import { SecretText } from '#shared/secret-text.ts';
import { anthropicFederation, type AnthropicFederationSpec } from './anthropic-federation.ts';
import { AwsSource, type AwsSpec } from './aws-source.ts';
import { entra, type EntraSpec } from './entra.ts';
import { FixedSource, type FixedHeader } from './fixed-source.ts';
import { google, type GoogleSpec } from './google.ts';
import { Refresher } from './refresher.ts';
import type { CredentialPorts, CredentialSource } from './source.ts';

export interface FixedSpec {
  readonly type: 'Fixed';
  readonly headers: readonly FixedHeader[];
  readonly standby?: readonly FixedHeader[];
}

/** What a configuration says of an upstream's credential, secrets filled in. */
export type CredentialSpec = FixedSpec | AwsSpec | GoogleSpec | EntraSpec | AnthropicFederationSpec;

export class CredentialSources {
  readonly #ports: CredentialPorts;
  readonly #refresher: Refresher;
  #byId = new Map<string, CredentialSource>();

  constructor(ports: CredentialPorts) {
    this.#ports = ports;
    this.#refresher = new Refresher(ports.clock);
  }

  /**
   * Takes over what a new configuration says. Upstreams with equal settings and secrets share a source. Sources start to get their
   * credential here; to have it before traffic, wait for their `settled`.
   * @param specs by upstream key
   * @returns the sources by upstream key; a call keeps the one it started with
   */
  configure(specs: ReadonlyMap<string, CredentialSpec>): ReadonlyMap<string, CredentialSource> {
    const before = this.#byId;
    const now = new Map<string, CredentialSource>();
    const byUpstream = new Map<string, CredentialSource>();
    for (const [upstream, spec] of specs) {
      const id = identityOf(spec);
      const source = now.get(id) ?? before.get(id) ?? open(id, spec, this.#refresher, this.#ports);
      now.set(id, source);
      byUpstream.set(upstream, source);
    }
    this.#byId = now;
    for (const [id, source] of before) if (!now.has(id)) source.close();
    return byUpstream;
  }

  close(): void {
    this.configure(new Map());
  }
}

function open(id: string, spec: CredentialSpec, refresher: Refresher, ports: CredentialPorts): CredentialSource {
  switch (spec.type) {
    case 'Fixed':
      return new FixedSource(id, spec.headers, spec.standby);
    case 'AWS':
      return new AwsSource(id, spec, refresher, ports);
    case 'Google':
      return google(id, spec, refresher, ports);
    case 'Entra':
      return entra(id, spec, refresher, ports);
    case 'AnthropicFederation':
      return anthropicFederation(id, spec, refresher, ports);
  }
}

const ID_CHARS = 16;

/** A one-way name: settings as they are, each secret by its own hash. */
function identityOf(spec: CredentialSpec): string {
  return sha256(canonicalJson(hashed(spec))).slice(0, ID_CHARS);
}

function hashed(value: unknown): unknown {
  if (value instanceof SecretText) return { secret: sha256(value.reveal()) };
  if (Array.isArray(value)) return value.map(hashed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([name, each]) => [name, hashed(each)]),
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
