// What the API server calls MicroTime, in Leases and Events: RFC 3339 in UTC with exactly six digits of a second.

/** @param milliseconds since 1970 */
export function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}
