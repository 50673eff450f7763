// Which Secrets a spec names. By the convention of the four kinds a reference is exactly `{name, key}`, always in the object's own
// namespace, so finding them needs no knowledge of single fields: a new field is found the day it is added.

/** Names of Secrets, in order of appearance, once each. @param spec of any shape */
export function secretNames(spec: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  collect(spec, names);
  return names;
}

function collect(value: unknown, into: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  const { name, key, ...rest } = value as Record<string, unknown>;
  if (typeof name === 'string' && typeof key === 'string' && Object.keys(rest).length === 0) into.add(name);
  else for (const member of Object.values(value)) collect(member, into);
}
