// Whether an object still says what we want it to say. Others add to our objects (defaults, statuses, sidecars), and an API server rewrites
// values ("1000m" becomes "1"), so only what we wrote is looked at.
import { createHash } from 'node:crypto';
import { canonicalJson } from '#shared/canonical-json.ts';

/** On everything we make: digest of the whole intent, so that a member we no longer want is noticed as well. */
export const INTENT_ANNOTATION = 'portcullis.dev/intent';

export function digest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 32);
}

/**
 * @param shape what we wrote
 * @param seen the same object as it is now
 * @returns of `seen` the members that `shape` has, as canonical text; equal texts mean that nobody changed what is ours
 */
export function ourPart(shape: unknown, seen: unknown): string {
  return canonicalJson(project(shape, seen)) ?? '';
}

export function isInSync(wanted: unknown, seen: unknown): boolean {
  return ourPart(wanted, seen) === canonicalJson(wanted);
}

function project(shape: unknown, seen: unknown): unknown {
  if (Array.isArray(shape)) return Array.isArray(seen) ? projectList(shape, seen) : seen;
  if (!isObject(shape) || !isObject(seen)) return seen;
  return Object.fromEntries(
    Object.entries(shape)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, project(member, seen[name])]),
  );
}

/** Lists whose entries have names are merged by the API server: others may add to them. All else is a value of its own. */
function projectList(shape: readonly unknown[], seen: readonly unknown[]): unknown {
  const names = shape.map(nameOf);
  if (names.length > 0 && names.every((name) => name !== undefined))
    return shape.map((entry, index) =>
      project(
        entry,
        seen.find((other) => nameOf(other) === names[index]),
      ),
    );
  return shape.length === seen.length ? shape.map((entry, index) => project(entry, seen[index])) : seen;
}

function nameOf(entry: unknown): string | undefined {
  return isObject(entry) && typeof entry['name'] === 'string' ? entry['name'] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
