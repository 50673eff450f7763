// Parsed optional members may be there and undefined; what the bundle leaves out must not be there at all.

/** The same object without members that are undefined; the members that are there keep their types. */
export function present<T extends object>(object: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  const members = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(members) as { [Name in keyof T]: Exclude<T[Name], undefined> };
}
