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

  /** @param standby takes over once the first was refused, until the configuration changes */
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

  /** Several calls may have gone out under the first one; each of them is worth sending once more. */
  rejected(): boolean {
    if (this.#standby === undefined) return false;
    this.#current = this.#standby;
    return true;
  }

  state(): CredentialState {
    return { kind: this.kind, status: 'Valid', validUntil: undefined, fault: undefined };
  }

  close(): void {}
}
