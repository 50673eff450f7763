// A credential that is the same on every call: an API key or a bearer token from a Secret, in the provider's own header.
import type { SecretText } from '#shared/secret-text.ts';
import { holdsSecret } from './leak.ts';
import type { CredentialSource, CredentialState, OutgoingRequest } from './source.ts';

export interface FixedHeader {
  /** In lower case. */
  readonly name: string;
  readonly value: SecretText;
  /** Put before the value, like `Bearer `. */
  readonly scheme?: string;
}

export class FixedSource implements CredentialSource {
  readonly kind = 'Fixed';
  readonly id: string;
  readonly settled = Promise.resolve();
  readonly #headers: readonly FixedHeader[];
  readonly #standby: readonly FixedHeader[] | undefined;
  #current: readonly FixedHeader[];

  /** @param standby takes over once the first was refused, until it is refused itself */
  constructor(id: string, headers: readonly FixedHeader[], standby?: readonly FixedHeader[]) {
    this.id = id;
    this.#headers = headers;
    this.#standby = standby;
    this.#current = headers;
  }

  authorize({ headers }: OutgoingRequest): undefined {
    for (const { name, scheme = '', value } of this.#current) headers.push(name, scheme + value.reveal());
  }

  setsHeader(name: string): boolean {
    return this.#headers.some((header) => header.name === name);
  }

  leaksInto(text: Buffer | string): boolean {
    const holds = ({ value }: FixedHeader): boolean => holdsSecret(text, value);
    return this.#headers.some(holds) || this.#standby?.some(holds) === true;
  }

  /**
   * Several calls may have gone out under a refused one; each of them is worth sending once more. A refusal may also be about what was
   * asked, and then the other one is refused too and the first is in use again: one client's 403 must not leave everybody with a standby
   * that may be long dead.
   */
  rejected(_caller: string, _date: string | undefined, sent?: readonly string[]): boolean {
    if (this.#standby === undefined) return false;
    const refused = sent === undefined ? this.#current : this.#sentAs(sent);
    if (refused === this.#current) this.#current = refused === this.#headers ? this.#standby : this.#headers;
    return true;
  }

  #sentAs(sent: readonly string[]): readonly FixedHeader[] {
    const stands = ({ name, scheme = '', value }: FixedHeader): boolean =>
      sent.some((each, i) => i % 2 === 0 && each === name && sent[i + 1] === scheme + value.reveal());
    return this.#headers.every(stands) ? this.#headers : this.#standby!;
  }

  state(): CredentialState {
    return { kind: this.kind, status: 'Valid', validUntil: undefined, fault: undefined };
  }

  close(): void {}
}
