// Rules that span fields. Each is written twice, side by side: as CEL for the API server and as a function for `portcullis run`
// and `check`, so both doors refuse the same manifests with the same words.
import type { z } from 'zod';

/** One rule of an object: the CEL the API server evaluates, the same test here, and what the author of the manifest reads. */
export interface Rule<T> {
  readonly cel: string;
  readonly holds: (self: T) => boolean;
  readonly message: string;
  /** Member the message belongs to, as in `fieldPath` of a CRD validation. */
  readonly field?: string;
}

/** A transition rule needs the stored object; only the API server can see it (`run` keeps such state elsewhere). */
export interface TransitionRule {
  readonly cel: string;
  readonly message: string;
}

/**
 * Attaches rules to a schema: enforced by zod and carried into the CRD as `x-kubernetes-validations`. Other metadata of the
 * schema (description, list type, bounds) and rules it already has are kept.
 */
export function withRules<S extends z.ZodType>(
  schema: S,
  rules: readonly Rule<z.output<S>>[],
  transitions: readonly TransitionRule[] = [],
): S {
  let checked: z.ZodType = schema;
  for (const rule of rules) {
    checked = checked.refine((value) => rule.holds(value as z.output<S>), {
      message: rule.message,
      ...(rule.field === undefined ? {} : { path: [rule.field] }),
    });
  }
  const { 'x-kubernetes-validations': earlier, ...meta } = schema.meta() ?? {};
  const validations = [
    ...(Array.isArray(earlier) ? (earlier as unknown[]) : []),
    ...rules.map(({ cel, message, field }) => ({
      rule: cel,
      message,
      ...(field === undefined ? {} : { fieldPath: `.${field}` }),
    })),
    ...transitions.map(({ cel, message }) => ({ rule: cel, message })),
  ];
  return checked.meta({ ...meta, 'x-kubernetes-validations': validations }) as S;
}
