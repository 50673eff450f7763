// Go-style durations ("90s", "1h30m", "250ms"), as the four kinds spell them. Days are written as hours, as in Kubernetes.

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const PART = /([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)/g;

/** The pattern every duration field carries in its schema (RE2 and JavaScript agree on it). */
export const DURATION_PATTERN = /^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/;

/**
 * @param text a duration such as `330s` or `1h30m`
 * @returns whole milliseconds
 * @throws {RangeError} when the text is not a duration
 */
export function parseDuration(text: string): number {
  if (!DURATION_PATTERN.test(text)) throw new RangeError(`"${text}" is not a duration such as 90s, 15m or 24h`);
  let total = 0;
  for (const [, amount, unit] of text.matchAll(PART)) total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  return Math.round(total);
}
