// credentials: who we are to an upstream. One interface whatever the credential is; everything else in this room makes one of these.
import type { CredentialFault } from './credential-error.ts';

/** The caller of what the gateway does by itself: probes, and the role session that shows at load whether a role can be assumed. */
export const OWN_CALLER = 'portcullis';

export type CredentialKind = 'Fixed' | 'AWS' | 'Google' | 'Entra' | 'AnthropicFederation';

/** A request that is complete but for its credential. */
export interface OutgoingRequest {
  readonly method: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** As it goes on the wire, with its query. */
  readonly path: string;
  /** Names in lower case and values in turn. The source appends its own and may amend one that stands there. */
  readonly headers: string[];
  readonly body: Buffer;
  /** Lower-case hex, where somebody has hashed the body already. */
  readonly bodySha256?: string;
}

export interface CredentialState {
  readonly kind: CredentialKind;
  /** Refreshing: usable, but the last refresh failed. Unusable: calls are refused until a refresh succeeds. */
  readonly status: 'Pending' | 'Valid' | 'Refreshing' | 'Unusable';
  /** Milliseconds since 1970; undefined when it does not expire or is not there. */
  readonly validUntil: number | undefined;
  /** Why the last attempt failed; undefined once one succeeded. */
  readonly fault: CredentialFault | undefined;
}

/** A credential of one upstream. */
export interface CredentialSource {
  readonly kind: CredentialKind;
  /** Names the credential in audit records without showing it: equal ids are the same settings and the same secrets. */
  readonly id: string;
  /**
   * Adds the credential to the request's headers, as the last thing that touches them.
   * @param caller who the call is for, for credentials that carry a name to the provider
   * @returns undefined when done, which is so whenever a fresh credential is at hand; otherwise a promise that
   * rejects with {@link CredentialError}
   */
  authorize(request: OutgoingRequest, caller: string): undefined | Promise<undefined>;
  /** True for headers this source sets itself; a client's value for them is not forwarded. */
  setsHeader(name: string): boolean;
  /** True when a body or header value holds a secret of this source. */
  leaksInto(text: Buffer | string): boolean;
  /**
   * Told of a 401 or 403, which may mean that the credential was revoked or that our clock is wrong. Never throws.
   * @param caller as in {@link authorize}
   * @param date the answer's `date` header
   * @param sent headers of the request that was refused, names in lower case and values in turn; left out: as {@link authorize} writes them now
   * @returns true when the same call, authorized anew, would carry something else and is worth sending once more
   */
  rejected(caller: string, date: string | undefined, sent?: readonly string[]): boolean;
  state(): CredentialState;
  /** Resolves when the first attempt to get the credential has ended, well or badly. */
  readonly settled: Promise<void>;
  /** No refresh after this. Calls in flight may still use what is there. */
  close(): void;
}

/** What sources need of the outside. */
export interface CredentialPorts {
  /** For token endpoints on the internet, through the configured proxy. */
  readonly fetch: Fetch;
  /** For metadata endpoints of the machine, never through a proxy. */
  readonly fetchLocal: Fetch;
  /** @param path an absolute path */
  readonly readFile: (path: string) => Promise<string>;
  /** Path of Google's application default credentials, when the environment names one. */
  readonly googleCredentialsFile?: string | undefined;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `work` once after so many milliseconds; the function returned prevents that. */
  after(milliseconds: number, work: () => void): () => void;
}
