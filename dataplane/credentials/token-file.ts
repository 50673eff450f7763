// A projected token: read anew for each exchange, because the kubelet replaces the file long before the token in it ends.
import { SecretText } from '#shared/secret-text.ts';
import { CredentialError } from './credential-error.ts';
import type { CredentialPorts } from './source.ts';

/** Anthropic's bound on an assertion, and far above any service account token. */
const MAX_CHARS = 16 * 1024;

/** @throws {CredentialError} `token_file` */
export async function readTokenFile(
  { readFile }: Pick<CredentialPorts, 'readFile'>,
  path: string,
): Promise<SecretText> {
  let text: string;
  try {
    text = (await readFile(path)).trim();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new CredentialError('token_file', `cannot read the token file ${path} (${reason}): is the token projected?`);
  }
  if (text === '') throw new CredentialError('token_file', `the token file ${path} is empty`);
  if (text.length > MAX_CHARS)
    throw new CredentialError('token_file', `the token file ${path} passes ${MAX_CHARS} bytes`);
  return new SecretText(text);
}
