// Which paths exist, which need no credential, and which spellings of a base URL are forgiven.

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
 * A base URL that already ends in `/v1`, in `/` or in both makes clients send `/v1/v1/messages`, `//v1/messages` or `/v1//v1/messages`.
 * Rewritten, never redirected: clients follow a redirect with GET.
 */
export function lenientUrl(url: string): string {
  return url.replace(/^\/+(?:v1\/+(?=v1\/))*/, '/');
}
