// Who is calling. The same shape whatever the credential was, so that access, spend and audit join on it.
import type { KeyEntry } from '#shared/bundle/bundle.ts';

export interface Principal {
  /** Stable identity: the key's `namespace/name` for virtual keys. */
  readonly id: string;
  readonly method: 'virtual_key';
  /** Name of the owner, as charged and reported. */
  readonly owner: string;
  readonly email: string | undefined;
  readonly key: KeyEntry;
  /** Which header the credential came in. */
  readonly source: CredentialSource;
}

export type CredentialSource = 'x-api-key' | 'anthropic-api-key' | 'api-key' | 'authorization';
