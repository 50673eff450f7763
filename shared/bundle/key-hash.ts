// How a virtual key becomes what is stored: HMAC-SHA-256 under the Gateway's pepper. Shared by who writes entries and who checks calls.
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { SecretText } from '#shared/secret-text.ts';

/**
 * @param pepper at least 32 random bytes, one per Gateway; for more than a few values as {@link hashingKey} gives it
 * @param value the clear key
 * @returns 32 bytes
 */
export function keyHash(pepper: string | Uint8Array | HashingKey, value: string): Buffer {
  return createHmac('sha256', pepper).update(value).digest();
}

/** {@link keyHash} in hex, as entries hold it. */
export function hexKeyHash(pepper: string | Uint8Array | HashingKey, value: string): string {
  return createHmac('sha256', pepper).update(value).digest('hex');
}

/** A pepper made ready by {@link hashingKey}. */
export type HashingKey = KeyObject;

/** Makes a pepper ready once: a hash then takes two thirds of the time. */
export function hashingKey(pepper: SecretText): HashingKey {
  return createSecretKey(Buffer.from(pepper.reveal()));
}
