// How a virtual key becomes what is stored: HMAC-SHA-256 under the Gateway's pepper. Shared by who writes entries and who checks calls.
import { HmacKey } from '#shared/hmac.ts';
import type { SecretText } from '#shared/secret-text.ts';

/** A pepper made ready by {@link hashingKey}. */
export type HashingKey = HmacKey;

/** @param pepper at least 32 random bytes, one per Gateway */
export function hashingKey(pepper: SecretText): HashingKey {
  return new HmacKey(Buffer.from(pepper.reveal()));
}

/**
 * @param pepper as {@link hashingKey} makes it ready for more than a few values
 * @param value the clear key
 * @returns 64 hex digits in lower case, as entries hold it
 */
export function keyHash(pepper: string | HashingKey, value: string): string {
  return (typeof pepper === 'string' ? new HmacKey(Buffer.from(pepper)) : pepper).hex(value);
}
