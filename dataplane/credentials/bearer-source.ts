// A short-lived bearer token that is fetched and refreshed: Google, Entra and Anthropic federation differ only in how it is fetched.
import type { SecretText } from '#shared/secret-text.ts';
import { holdsSecret } from './leak.ts';
import type { Refresher } from './refresher.ts';
import { Renewal, type Minted } from './renewal.ts';
import type { CredentialKind, CredentialPorts, CredentialSource, CredentialState, OutgoingRequest } from './source.ts';

export interface BearerOptions {
  readonly id: string;
  readonly kind: CredentialKind;
  readonly mint: (signal: AbortSignal) => Promise<Minted<SecretText>>;
  /** Must stand in `anthropic-beta` beside such a token. */
  readonly beta?: string;
  /** Header names and values that go with it, in turn; nothing secret. */
  readonly companions?: readonly string[];
}

export class BearerSource implements CredentialSource {
  readonly kind: CredentialKind;
  readonly id: string;
  readonly settled: Promise<void>;
  readonly #renewal: Renewal<SecretText>;
  readonly #beta: string | undefined;
  readonly #companions: readonly string[];

  constructor(options: BearerOptions, refresher: Refresher, { clock, random }: CredentialPorts) {
    this.kind = options.kind;
    this.id = options.id;
    this.#beta = options.beta;
    this.#companions = options.companions ?? [];
    this.#renewal = new Renewal({ mint: options.mint, refresher, clock, random });
    this.settled = this.#renewal.settled();
  }

  authorize(request: OutgoingRequest): undefined | Promise<undefined> {
    const token = this.#renewal.get();
    return token instanceof Promise
      ? token.then((token) => this.#append(request, token))
      : this.#append(request, token);
  }

  setsHeader(name: string): boolean {
    return name === 'authorization' || this.#companions.some((each, i) => i % 2 === 0 && each === name);
  }

  leaksInto(text: Buffer | string): boolean {
    return this.#renewal.known().some((token) => holdsSecret(text, token));
  }

  /** The new token comes in its own time; a call does not wait for it. */
  rejected(): false {
    this.#renewal.rejected();
    return false;
  }

  state(): CredentialState {
    return { kind: this.kind, ...this.#renewal.state() };
  }

  close(): void {
    this.#renewal.close();
  }

  #append({ headers }: OutgoingRequest, token: SecretText): undefined {
    if (this.#beta !== undefined) addBeta(headers, this.#beta);
    headers.push('authorization', `Bearer ${token.reveal()}`, ...this.#companions);
  }
}

/** Adds to the first `anthropic-beta` there is, since not every server joins repeated headers. */
function addBeta(headers: string[], beta: string): void {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'anthropic-beta') continue;
    const value = headers[i + 1]!;
    if (!value.split(',').some((each) => each.trim() === beta))
      headers[i + 1] = value === '' ? beta : `${value},${beta}`;
    return;
  }
  headers.push('anthropic-beta', beta);
}
