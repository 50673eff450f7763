// Credentials for tests of other rooms: fixed ones work, nothing outside is reached.
import { CredentialSources } from '../credentials/sources.ts';
import { ports } from '../credentials/testing.ts';
import type { OpenCredentials } from './target.ts';

export function openCredentials(): OpenCredentials {
  const sources = new CredentialSources(ports());
  return (specs) => sources.configure(specs);
}
