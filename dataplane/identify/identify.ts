// identify: request → principal, or 401. Decides who is calling and whether that identity is alive, never what it may do.
import type { IncomingHttpHeaders } from 'node:http';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { GatewayError, refuse } from '../errors.ts';
import { presentedCredential } from './credential.ts';
import { missingHint, schemeHint, unknownHint, type Hint } from './hints.ts';
import type { KeyIndex } from './key-index.ts';
import type { Principal } from './principal.ts';

/** Longer than any key the gateway makes or imports; hashing more would only serve an attacker. */
const MAX_CREDENTIAL_CHARS = 4096;

/**
 * @param now milliseconds since 1970
 * @throws {GatewayError} 401 when there is no valid credential
 */
export function identify(headers: IncomingHttpHeaders, keys: KeyIndex, keyPrefix: string, now: number): Principal {
  const presented = presentedCredential(headers);
  if (presented === undefined || presented.value === '') throw refusal(missingHint(headers));
  const wrongScheme = schemeHint(presented);
  if (wrongScheme !== undefined) throw refusal(wrongScheme);
  const { value, source } = presented;
  const key = value.length > MAX_CREDENTIAL_CHARS ? undefined : keys.find(value);
  if (key === undefined) throw refusal(unknownHint(value, keyPrefix));
  checkAlive(key, now);
  return {
    id: key.key,
    method: 'virtual_key',
    owner: key.owner.name,
    email: key.owner.type === 'User' && key.owner.name.includes('@') ? key.owner.name : undefined,
    key,
    source,
  };
}

/** A dead key is 401: another credential would help. A disabled one is 403: signing in again would not. */
export function checkAlive(key: KeyEntry, now: number): void {
  if (key.state === 'Revoked')
    throw refuse.unauthenticated('revoked_key', `key ${key.prefix}… was revoked: ask its owner for a new one`);
  if (key.expiresAt !== undefined && now >= key.expiresAt) {
    const when = new Date(key.expiresAt).toISOString();
    throw refuse.unauthenticated('expired_key', `key ${key.prefix}… expired at ${when}: ask its owner for a new one`);
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
    throw new GatewayError({
      reason: 'foreign_environment',
      status: 403,
      rule: key.key,
      message: `key ${key.prefix}… is for the environment ${key.foreignEnvironment}, this gateway is ${environment ?? 'another one'}`,
    });
  }
}

function refusal({ reason, message }: Hint): GatewayError {
  return refuse.unauthenticated(reason, message);
}
