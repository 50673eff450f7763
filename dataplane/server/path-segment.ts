// A value that a client wrote into a path, decoded once. What is still encoded then was encoded twice, which no client does: it could mean
// one thing here and another behind us.
import { refuse } from '../errors.ts';

/**
 * @param what for the message
 * @throws {GatewayError} 400
 */
export function decodeSegment(raw: string, what: string): string {
  const value = decodeOnce(raw);
  if (value === undefined || /[%\p{Cc}]/u.test(value)) {
    throw refuse.badRequest('bad_url', `the ${what} in the request path is not validly encoded`);
  }
  return value;
}

function decodeOnce(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}
