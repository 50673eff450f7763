// The query of a Messages call on its way to an upstream: as the client wrote it, but for credentials, which people put there too.
import type { ProviderRequest } from './provider.ts';
import type { UpstreamTarget } from './target.ts';

/** What nearly every client sends, and the one query of the Messages API that means anything. */
const BETA = '?beta=true';
const SAYS_BETA = /[?&]beta=true(?:&|$)/;
/** Names under which clouds and gateways take a credential. */
const CREDENTIAL = /(?:^|[-_.])(?:key|apikey|token|secret|signature|credential|password|authorization)$/i;

/**
 * @param target where the call is signed, both sides must read the query alike, and they differ about every sign that may be escaped or not:
 * a refused signature would be taken for a bad credential
 * @returns with its `?`, or `''`
 */
export function upstreamQuery({ credential }: UpstreamTarget, { search, credentials }: ProviderRequest): string {
  if (search === '' || search === BETA) return search;
  if (credential.kind === 'AWS') return SAYS_BETA.test(search) ? BETA : '';
  if (credentials.some((value) => search.includes(value))) return '';
  const members = search.slice(1).split('&');
  const kept = members.filter((member) => !CREDENTIAL.test(member.split('=', 1)[0]!));
  return kept.length === members.length ? search : kept.length === 0 ? '' : `?${kept.join('&')}`;
}
