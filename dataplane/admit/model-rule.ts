// How lists of model patterns apply to a model. A name is judged together with what the upstream really serves under it, so that neither
// a private name nor a remapped one passes a rule on the model behind it.
import type { ServedModel } from './models.ts';
import type { PatternList } from './pattern.ts';

/**
 * Whether a list names the model, or what an upstream serves under its name.
 * @param upstream key of the upstream; without one only the name counts
 */
export function isDenied(deny: PatternList, { names, behind }: ServedModel, upstream?: string): boolean {
  const there = upstream === undefined ? undefined : behind.get(upstream);
  return deny.match(names) !== undefined || (there !== undefined && deny.match(there.names) !== undefined);
}

/**
 * Whether a list grants the model at an upstream. A private name is granted by its own name or by that of the model behind it. A built-in
 * name is only granted by itself, and where an upstream serves another known model under it, that one must be granted too.
 */
export function isAllowed(allow: PatternList, { names, behind, builtin }: ServedModel, upstream?: string): boolean {
  const there = upstream === undefined ? undefined : behind.get(upstream);
  const byName = allow.match(names) !== undefined;
  if (there === undefined || (builtin && !there.known)) return byName;
  const byTarget = allow.match(there.names) !== undefined;
  return builtin ? byName && byTarget : byName || byTarget;
}
