// How a virtual key becomes what is stored: HMAC-SHA-256 under the Gateway's pepper. Shared by who writes entries and who checks calls.
import { createHmac } from 'node:crypto';

/**
 * @param pepper at least 32 random bytes, one per Gateway
 * @param value the clear key
 * @returns 32 bytes
 */
export function keyHash(pepper: string | Uint8Array, value: string): Buffer {
  return createHmac('sha256', pepper).update(value).digest();
}
