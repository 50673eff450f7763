// Reading settings out of a JSON text that may hold secrets: no message repeats a piece of it.
import { CredentialError } from './credential-error.ts';

/** @throws {CredentialError} `incomplete` */
export function jsonFields(text: string, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The parser's own words would show where it stopped.
  }
  throw new CredentialError('incomplete', `${where} is not a JSON object`);
}

/** @throws {CredentialError} `incomplete` */
export function stringField(fields: Record<string, unknown>, name: string, where: string): string {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new CredentialError('incomplete', `${where} has no ${name}`);
}
