// Secret values as the compile step takes them: found, without the newline an editor left, and fit to travel in a header.
import type { CompileInput } from './types.ts';
import { SecretText } from '#shared/secret-text.ts';

export type SecretReading =
  | { readonly ok: true; readonly value: SecretText }
  | { readonly ok: false; readonly reason: 'RefNotFound' | 'InvalidValue'; readonly message: string };

/** Printable ASCII without blanks at the ends: anything else is refused or altered on its way through HTTP. */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Reads one value; messages name the Secret and the key, never what is in it. */
export function readSecret(
  secrets: CompileInput['secrets'],
  namespace: string,
  ref: { readonly name: string; readonly key: string },
): SecretReading {
  const secret = secrets.get(`${namespace}/${ref.name}`);
  if (secret === undefined) {
    return fault('RefNotFound', `Secret ${ref.name} does not exist in namespace ${namespace}; create it`);
  }
  const held = secret.get(ref.key);
  if (held === undefined) return fault('RefNotFound', `Secret ${ref.name} has no key ${ref.key}; add it`);
  const text = held.reveal().replace(/\r?\n$/, '');
  if (text === '') return fault('InvalidValue', `key ${ref.key} of Secret ${ref.name} is empty; put the value there`);
  if (!HEADER_SAFE.test(text)) {
    return fault(
      'InvalidValue',
      `key ${ref.key} of Secret ${ref.name} has a blank at an end, a control character or a character outside ASCII; a header cannot carry it`,
    );
  }
  return { ok: true, value: new SecretText(text) };
}

const fault = (reason: 'RefNotFound' | 'InvalidValue', message: string): SecretReading => ({
  ok: false,
  reason,
  message,
});
