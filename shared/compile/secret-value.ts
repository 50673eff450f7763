// Secret values as the compile step takes them: found, without the newline an editor left, and fit for where they go.
import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { CompileInput } from './types.ts';
import { SecretText } from '#shared/secret-text.ts';

export type SecretReading =
  | { readonly ok: true; readonly value: SecretText }
  | { readonly ok: false; readonly reason: 'RefNotFound' | 'InvalidValue'; readonly message: string };

/** What a value is for. */
export type SecretForm = 'Header' | 'Certificates' | 'PrivateKey' | 'ServiceAccountKey';

/** Printable ASCII without blanks at the ends: anything else is refused or altered on its way through HTTP. */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** By form whether a value is one, and what is wrong when it is not. */
const FORMS: Readonly<Record<SecretForm, { readonly fits: (text: string) => boolean; readonly fault: string }>> = {
  Header: {
    fits: (text) => HEADER_SAFE.test(text),
    fault: 'has a blank at an end, a control character or a character outside ASCII; a header cannot carry it',
  },
  Certificates: {
    fits: (text) => {
      const blocks = pemCertificates(text);
      return blocks.length > 0 && blocks.every((block) => reads(() => new X509Certificate(block)));
    },
    fault: 'holds no PEM certificates, or one that cannot be read; put the certificates there',
  },
  PrivateKey: {
    fits: (text) => reads(() => createPrivateKey(text)),
    fault: 'is not a PEM private key without passphrase; put the key there',
  },
  ServiceAccountKey: {
    fits: isServiceAccountKey,
    fault: 'is not the JSON of a service account key; put the file there as Google Cloud gave it',
  },
};

/** The certificates in a PEM text, whatever stands between them. */
export function pemCertificates(text: string): readonly string[] {
  return text.match(CERTIFICATE) ?? [];
}

/** Reads one value; messages name the Secret and the key, never what is in it. */
export function readSecret(
  secrets: CompileInput['secrets'],
  namespace: string,
  ref: { readonly name: string; readonly key: string },
  form: SecretForm = 'Header',
): SecretReading {
  const secret = secrets.get(`${namespace}/${ref.name}`);
  if (secret === undefined) {
    return fault('RefNotFound', `Secret ${ref.name} does not exist in namespace ${namespace}; create it`);
  }
  const held = secret.get(ref.key);
  if (held === undefined) return fault('RefNotFound', `Secret ${ref.name} has no key ${ref.key}; add it`);
  const text = held.reveal().replace(/\r?\n$/, '');
  if (text === '') return fault('InvalidValue', `key ${ref.key} of Secret ${ref.name} is empty; put the value there`);
  if (!fits(held, text, form))
    return fault('InvalidValue', `key ${ref.key} of Secret ${ref.name} ${FORMS[form].fault}`);
  return { ok: true, value: new SecretText(text) };
}

/** Values are immutable and compiled again and again, and reading a key takes its time: each is judged once. */
const judged: Readonly<Record<Exclude<SecretForm, 'Header'>, WeakMap<SecretText, boolean>>> = {
  Certificates: new WeakMap(),
  PrivateKey: new WeakMap(),
  ServiceAccountKey: new WeakMap(),
};

function fits(held: SecretText, text: string, form: SecretForm): boolean {
  // A pattern is as fast as looking up, and there are a hundred thousand keys.
  if (form === 'Header') return FORMS.Header.fits(text);
  let verdict = judged[form].get(held);
  if (verdict === undefined) judged[form].set(held, (verdict = FORMS[form].fits(text)));
  return verdict;
}

function isServiceAccountKey(text: string): boolean {
  let fields: Record<string, unknown> | null = null;
  if (!reads(() => (fields = JSON.parse(text) as Record<string, unknown> | null)) || fields === null) return false;
  const { type, client_email, private_key, private_key_id } = fields as Record<string, unknown>;
  return (
    type === 'service_account' &&
    typeof client_email === 'string' &&
    typeof private_key_id === 'string' &&
    typeof private_key === 'string' &&
    reads(() => createPrivateKey(private_key))
  );
}

/** Parsers repeat pieces of what they cannot read, so what they say is not passed on. */
function reads(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
}

const fault = (reason: 'RefNotFound' | 'InvalidValue', message: string): SecretReading => ({
  ok: false,
  reason,
  message,
});
