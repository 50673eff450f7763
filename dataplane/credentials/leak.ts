// Whether text that would go to a client holds a secret.
import type { SecretText } from '#shared/secret-text.ts';

/** Shorter values would be found in innocent text. */
const LEAST_CHARS = 8;

export function holdsSecret(text: Buffer | string, secret: SecretText | undefined): boolean {
  const value = secret?.reveal() ?? '';
  return value.length >= LEAST_CHARS && text.includes(value);
}
