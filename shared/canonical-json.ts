// One spelling for one value: keys sorted at every level, no spaces. Hashes and golden files rest on it.

/**
 * @param value anything JSON can hold; `undefined` members are left out, as `JSON.stringify` does
 * @param indent spaces per level, for files people read
 */
export function canonicalJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, sortKeys, indent);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
