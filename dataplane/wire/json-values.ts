// Typed access to the values a scan found, and the one edit a forwarded body gets: another value in the same place.

import type { Field } from './field-set.ts';

/**
 * The text of a string field.
 *
 * @param body the body `field` was found in
 * @returns `undefined` when the string holds a bad escape or a raw control character, which a scan does not check
 */
export function decodeString(body: Buffer, field: Field): string | undefined {
  try {
    return JSON.parse(body.toString('utf8', field.start, field.end)) as string;
  } catch {
    return undefined;
  }
}

/** The text of `field`, or `undefined` when it is absent, of another kind, or no correct string. */
export function fieldString(body: Buffer, field: Field | undefined): string | undefined {
  return field?.kind === 'string' ? decodeString(body, field) : undefined;
}

/**
 * The value of `field` when it is a whole number that a double holds exactly (`4096`, also spelt `4096.0` or `4.096e3`);
 * otherwise `undefined`.
 */
export function fieldInteger(body: Buffer, field: Field | undefined): number | undefined {
  if (field?.kind !== 'number') return undefined;
  const value = Number(body.toString('latin1', field.start, field.end));
  // Adding zero turns -0 into 0.
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

/** The value of `field` when it is `true` or `false`; otherwise `undefined`. */
export function fieldBoolean(field: Field | undefined): boolean | undefined {
  if (field?.kind === 'true') return true;
  return field?.kind === 'false' ? false : undefined;
}

/**
 * A copy of `body` with the value of `field` replaced. Offsets behind the field are stale afterwards: replace the last
 * field first, or scan again.
 *
 * @param jsonText the new value as JSON, so a string comes with its quotes (`JSON.stringify(model)`)
 */
export function replaceValue(body: Buffer, field: Field, jsonText: string): Buffer {
  const inserted = Buffer.from(jsonText);
  return Buffer.concat([body.subarray(0, field.start), inserted, body.subarray(field.end)]);
}
