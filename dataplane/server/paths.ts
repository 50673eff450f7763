// Which paths exist, which need no credential, and which spellings of a base URL are forgiven.
import type { GatewayConfig } from '#shared/bundle/bundle.ts';
import { isServed } from './dialects.ts';

/** Everything else needs a credential, also paths that do not exist. */
export const ANONYMOUS: ReadonlySet<string> = new Set([
  'GET /healthz',
  'HEAD /healthz',
  'GET /readyz',
  'HEAD /readyz',
  'GET /health',
  'HEAD /health',
  'HEAD /api/hello',
]);

/** Where RFC 8414 puts the discovery document. Open as well, but no probe: network rules hold and it is written down. */
export const DISCOVERY = '/.well-known/oauth-authorization-server';
/** Where Claude Code asks for a device code when the discovery document names no place for it. */
export const DEVICE_AUTHORIZATION = '/oauth/device_authorization';

/** Parts of the Anthropic API that this gateway does not offer; told apart from mistyped paths, so that SDKs stop trying. */
const NOT_OFFERED = [
  '/v1/messages/batches',
  '/v1/files',
  '/v1/complete',
  '/v1/skills',
  '/v1/agents',
  '/v1/sessions',
  '/v1/environments',
];

export function isNotOffered(path: string): boolean {
  return NOT_OFFERED.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
}

/**
 * A call as the doors know it: without the prefix of a base URL, with one spelling of what clients put behind it. Rewritten, never
 * redirected: clients follow a redirect with GET. The query stays as it is.
 *
 * - Prefixes of the platform team's own, one of the usual ones, or both: `/claude`, `/bedrock`, `/vertex`.
 * - `/foundry` (also `/foundry/anthropic` and `/anthropic`, as Azure has it) and `/anthropic-aws` stay: what they prefix is the Messages
 *   API, and nothing else would tell.
 * - A base URL that already ends in `/v1`, in `/` or in both.
 */
export function clientUrl(url: string, gateway: GatewayConfig | undefined): string {
  // Most calls by far, and none of this can concern them.
  if (url.startsWith('/v1/messages')) return url;
  const plain = withoutOwnPrefix(oneSlash(url.replace(AUTHORITY, '')), gateway);
  const behind = withoutVersions(oneSlash(plain.replace(USUAL, '')));
  const platform = PLATFORM.exec(behind);
  if (platform === null) return behind;
  const kept = platform[1] === undefined ? '/foundry' : `/${platform[1]}`;
  return `${kept}${withoutVersions(oneSlash(behind.slice(platform[0].length)))}`;
}

/** Before the path when a client takes the gateway for a proxy. RFC 9112, section 3.2.2. */
const AUTHORITY = /^https?:\/\/[^/?]*/i;
/** Nothing follows a prefix but a path, a query or the end. Bedrock has the Messages API at `/anthropic`. */
const USUAL = /^\/(?:claude|bedrock(?:\/+anthropic)?|vertex)(?=[/?]|$)/;
const PLATFORM = /^\/(?:(foundry|anthropic-aws)(?:\/+anthropic(?=[/?]|$))?|anthropic)(?=[/?]|$)/;
/** With them in a base URL, clients repeat them. */
const VERSIONS = /^\/(?:v1\/+)+(?=v1(?:[/?]|$))/;
/** What Bedrock clients ask for has no version, what Vertex clients ask for is given it. */
const UNVERSIONED = /^\/(?:v1\/+)?(?=(?:model|inference-profiles)(?:[/?]|$))/;
const VERTEX = /^\/(?:v1\/+)?(?=projects\/)/;

function withoutVersions(url: string): string {
  return url.replace(VERSIONS, '/').replace(UNVERSIONED, '/').replace(VERTEX, '/v1/');
}

function oneSlash(url: string): string {
  return `/${url.replace(/^\/+/, '')}`;
}

/** The longest that fits. One that is the place of a format served here does not make another format of it. */
function withoutOwnPrefix(url: string, gateway: GatewayConfig | undefined): string {
  if (gateway?.pathPrefixes === undefined) return url;
  let longest = '';
  for (const prefix of gateway.pathPrefixes) {
    if (prefix.length > longest.length && standsBefore(prefix, url) && !isPlaceOfFormat(prefix, gateway)) {
      longest = prefix;
    }
  }
  return longest === '' ? url : oneSlash(url.slice(longest.length));
}

function standsBefore(prefix: string, url: string): boolean {
  const next = url[prefix.length];
  return url.startsWith(prefix) && (next === undefined || next === '/' || next === '?');
}

function isPlaceOfFormat(prefix: string, gateway: GatewayConfig): boolean {
  if (prefix === '/foundry') return isServed(gateway, 'Foundry');
  return prefix === '/anthropic-aws' && isServed(gateway, 'ClaudePlatformAWS');
}

/** What is asked for, in a fixed set of words: for metrics. */
export type EndpointLabel =
  | 'messages'
  | 'count_tokens'
  | 'models'
  | 'inference_profiles'
  | 'health'
  | 'sign_in'
  | 'other';

/** @param path without query, after {@link clientUrl} */
export function endpointLabel(path: string): EndpointLabel {
  if (path === '/v1/messages') return 'messages';
  if (path === '/v1/health') return 'health';
  if (path === DISCOVERY || path === DEVICE_AUTHORIZATION) return 'sign_in';
  if (path.startsWith('/inference-profiles')) return 'inference_profiles';
  if (path.startsWith('/model/')) return bedrockLabel(path);
  if (path.startsWith('/v1/projects/')) return vertexLabel(path);
  switch (path.replace(/^\/(?:foundry|anthropic-aws)\/v1\//, '/v1/')) {
    case '/v1/messages':
      return 'messages';
    case '/v1/messages/count_tokens':
      return 'count_tokens';
    case '/v1/models':
      return 'models';
    default:
      return 'other';
  }
}

function bedrockLabel(path: string): EndpointLabel {
  if (path.endsWith('/count-tokens')) return 'count_tokens';
  return /\/invoke(?:-with-response-stream)?$/.test(path) ? 'messages' : 'other';
}

function vertexLabel(path: string): EndpointLabel {
  if (!/:(?:rawPredict|streamRawPredict)$/.test(path)) return 'other';
  return path.endsWith('/count-tokens:rawPredict') ? 'count_tokens' : 'messages';
}
