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

  constructor(id: string, headers: readonly FixedHeader[]) {
    this.id = id;
    this.#headers = headers;
  }

  authorize({ headers }: OutgoingRequest): undefined {
    for (const { name, scheme = '', value } of this.#headers) headers.push(name, scheme + value.reveal());
  }

  setsHeader(name: string): boolean {
    return this.#headers.some((header) => header.name === name);
  }

  leaksInto(text: Buffer | string): boolean {
    return this.#headers.some(({ value }) => holdsSecret(text, value));
  }

  rejected(): void {}

  state(): CredentialState {
    return { kind: this.kind, status: 'Valid', validUntil: undefined, fault: undefined };
  }

  close(): void {}
}
