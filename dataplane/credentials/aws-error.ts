// What the AWS SDK throws, told apart: no identity on this machine, refused by STS, or worth another try.
import { CredentialError, cleaned } from './credential-error.ts';
import { faultOfStatus } from './token-endpoint.ts';

interface Thrown {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

export function awsError(error: unknown): CredentialError {
  if (error instanceof CredentialError) return error;
  const { name = '', message = '', code, $metadata } = error as Thrown;
  const status = $metadata?.httpStatusCode;
  if (name.startsWith('Throttling') || name === 'RequestLimitExceeded')
    return new CredentialError('rate_limited', cleaned(`STS: ${name}: ${message}`));
  if (status !== undefined && status >= 400)
    return new CredentialError(faultOfStatus(status), cleaned(`STS answered ${status} ${name}: ${message}`));
  if (code === 'ENOENT') return new CredentialError('token_file', cleaned(message));
  if (name === 'CredentialsProviderError' || name === 'ProviderError')
    return new CredentialError('not_found', cleaned(`no AWS identity on this machine: ${message}`));
  return new CredentialError('unavailable', cleaned(`${name}: ${message}`));
}
