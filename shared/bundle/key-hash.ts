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
 * @returns 32 bytes
 */
export function keyHash(pepper: string | HashingKey, value: string): Buffer {
  return readied(pepper).sign(value);
}

/** {@link keyHash} in hex, as entries hold it. */
export function hexKeyHash(pepper: string | HashingKey, value: string): string {
  return readied(pepper).hex(value);
}

function readied(pepper: string | HashingKey): HashingKey {
  return typeof pepper === 'string' ? new HmacKey(Buffer.from(pepper)) : pepper;
}
