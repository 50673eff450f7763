// identify: request → principal, or 401. Decides who is calling and whether that identity is alive, never what it may do. Two steps, so that
// the record of a dead key names it.
import type { IncomingHttpHeaders } from 'node:http';
import type { Dialect, KeyEntry } from '#shared/bundle/bundle.ts';
import { refuse, type GatewayError } from '../errors.ts';
import { presentedCredential } from './credential.ts';
import { missingHint, schemeHint, unknownHint, type Hint } from './hints.ts';
import type { KeyIndex } from './key-index.ts';
import type { Principal } from './principal.ts';

/** Longer than any key the gateway makes or imports; hashing more would only serve an attacker. */
const MAX_CREDENTIAL_CHARS = 4096;

/**
 * Who holds the credential of a request; whether it is still good, {@link checkAlive} says.
 * @param dialect of the path: it decides how users are told to set their key
 * @throws {GatewayError} 401 when there is no credential of this gateway
 */
export function identify(
  headers: IncomingHttpHeaders,
  keys: KeyIndex,
  keyPrefix: string,
  dialect: Dialect = 'Anthropic',
): Principal {
  const presented = presentedCredential(headers, dialect);
  if (presented === undefined || presented.value === '') throw refusal(missingHint(headers, dialect));
  const wrongScheme = schemeHint(presented, dialect);
  if (wrongScheme !== undefined) throw refusal(wrongScheme);
  const { value, source } = presented;
  const key = value.length > MAX_CREDENTIAL_CHARS ? undefined : keys.find(value);
  if (key === undefined) throw refusal(unknownHint(value, keyPrefix, dialect));
  return {
    id: key.key,
    method: 'virtual_key',
    owner: key.owner.name,
    email: emailOf(key),
    key,
    source,
  };
}

/** The owner's address, unless a tenant wrote it: then the name begins with the tenant's namespace and is nobody's address. */
function emailOf({ owner: { type, name }, namespace }: KeyEntry): string | undefined {
  return type === 'User' && name.includes('@') && !name.startsWith(`${namespace}/`) ? name : undefined;
}

/**
 * A dead key is 401: another credential would help. A disabled one is 403: signing in again would not.
 * @param now milliseconds since 1970
 * @throws {GatewayError} 401
 */
export function checkAlive({ state, expiresAt, prefix, key, previous }: KeyEntry, now: number): void {
  if (state === 'Revoked')
    throw refuse.unauthenticated('revoked_key', `key ${prefix}… was revoked: ask its owner for a new one`, key);
  if (expiresAt !== undefined && now >= expiresAt) {
    const when = new Date(expiresAt).toISOString();
    if (previous === true) {
      const message = `key ${prefix}… was rotated and its old secret ended at ${when}: use the new one`;
      throw refuse.unauthenticated('expired_key', message, key);
    }
    throw refuse.unauthenticated('expired_key', `key ${prefix}… expired at ${when}: ask its owner for a new one`, key);
  }
}

/** The second step of the decision order: the credential is right, but its holder may not use it here and now. */
export function checkState(key: KeyEntry, environment: string | undefined): void {
  if (key.state === 'Disabled') {
    throw refuse.forbidden(
      'disabled_key',
      `key ${key.prefix}… is disabled: ask its owner or your platform team`,
      key.key,
    );
  }
  if (key.foreignEnvironment !== undefined) {
    const here = environment ?? 'another one';
    throw refuse.forbidden(
      'foreign_environment',
      `key ${key.prefix}… is for the environment ${key.foreignEnvironment}, this gateway is ${here}: use its gateway`,
      key.key,
    );
  }
}

function refusal({ reason, message }: Hint): GatewayError {
  return refuse.unauthenticated(reason, message);
}
