/** The clouds that have the Messages API itself: Mantle, Claude Platform on AWS, Foundry; and the Anthropic API for comparison. */
import { errorTypeOf, providerHeaders } from '../mock-anthropic-messages.ts';
import type { RecordedRequest, Surface, SurfaceCall, SurfaceRefusal } from '../mock-anthropic.ts';
import { ANTHROPIC, AWS, AZURE } from './accounts.ts';
import { awsError, awsFault, awsHeaders, modelName } from './aws.ts';
import { betasOf, envelope, messagesFault, unknownBeta, unknownField, unpairedField } from './body-checks.ts';

const VERSION = /^\d{4}-\d{2}-\d{2}$/;
const PATH = /^(.*)\/v1\/messages(\/count_tokens)?(?:\?beta=true)?$/;

const MANTLE_BETAS: ReadonlySet<string> = new Set([
  'claude-code-20250219',
  'compact-2026-01-12',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'dangerous-tool-use-2026-09-03',
  'effort-2025-11-24',
  'fine-grained-tool-streaming-2025-05-14',
  'interleaved-thinking-2025-05-14',
  'output-128k-2025-02-19',
  'per-turn-control-2026-07-01',
  'structured-outputs-2025-11-13',
  'thinking-binding-controls-2026-08-01',
  'thinking-display-updates-2026-08-18',
  'token-efficient-tools-2025-02-19',
  'tool-examples-2025-10-29',
  'tool-search-tool-2025-10-19',
  'web-search-2025-03-05',
]);

/** Deployments of the Foundry resource; `team-sonnet` was renamed by its owner. */
const DEPLOYMENTS = /^(?:claude-[a-z0-9-]+|team-sonnet)$/;

/** The Messages API on Bedrock: on Mantle by base ids, on the runtime by profiles. */
const onBedrock = (service: 'bedrock' | 'bedrock-mantle', ids: RegExp): Surface => ({
  read: (request) =>
    awsFault(request, service, 'x-api-key') ??
    read(request, '/anthropic', (body) => {
      const field = unknownField(body, ['model', 'stream', 'output_format', 'service_tier']);
      if (field !== undefined) return `${field}: Extra inputs are not permitted`;
      if (!ids.test(String(body['model']))) return 'model: unknown';
      const betas = betasOf(request);
      const beta = unknownBeta(betas, MANTLE_BETAS);
      if (beta !== undefined) return `Unexpected value(s) \`${beta}\` for the \`anthropic-beta\` header.`;
      const unpaired = unpairedField(body, betas);
      return unpaired === undefined ? undefined : `${unpaired}: Extra inputs are not permitted`;
    }),
  headers: (_requestId, contentType) => ({ 'content-type': contentType, ...awsHeaders() }),
  error: awsError,
  modelName,
});

export const mantleSurface = onBedrock('bedrock-mantle', /^anthropic\.claude-/);
export const runtimeMessagesSurface = onBedrock('bedrock', /^(?:us|global)\.anthropic\.claude-/);

export const claudePlatformAwsSurface: Surface = {
  read: (request) => {
    const refused = awsFault(request, 'aws-external-anthropic', 'x-api-key');
    if (refused !== undefined) return refused;
    if (request.headers['anthropic-workspace-id'] !== AWS.workspaceId) {
      return envelope(403, 'permission_error', 'the workspace is not of this account');
    }
    return read(request, '', () => undefined);
  },
  headers: (requestId, contentType) => ({ ...providerHeaders(requestId, contentType), ...awsHeaders() }),
  error: awsError,
};

export const foundrySurface: Surface = {
  read: (request) => {
    const { 'api-key': apiKey, 'x-api-key': other, authorization } = request.headers;
    if (![apiKey, other, authorization?.replace(/^Bearer /, '')].includes(AZURE.key)) {
      return azureError(401, 'Access denied due to invalid subscription key or wrong API endpoint.');
    }
    return read(request, '/anthropic', (body) =>
      DEPLOYMENTS.test(String(body['model'])) ? undefined : 'The API deployment for this resource does not exist.',
    );
  },
  headers: (requestId, contentType) => ({
    'content-type': contentType,
    'apim-request-id': '00000000-2222-4333-8444-555555555555',
    'x-ms-region': 'East US 2',
    'request-id': requestId,
  }),
  error: azureError,
};

export const anthropicSurface: Surface = {
  read: (request) =>
    request.headers['x-api-key'] === ANTHROPIC.key || request.headers.authorization === `Bearer ${ANTHROPIC.token}`
      ? read(request, '', () => undefined)
      : envelope(401, 'authentication_error', 'invalid x-api-key'),
  headers: providerHeaders,
  error: (status, message) => ({ headers: {}, ...envelope(status, errorTypeOf(status), message) }),
};

function read(
  request: RecordedRequest,
  prefix: string,
  fault: (body: Readonly<Record<string, unknown>>) => string | undefined,
): SurfaceCall | SurfaceRefusal {
  // The first of many pages, from which nobody may conclude that a model is missing.
  if (request.method === 'GET' && prefix === '' && request.url.startsWith('/v1/models?')) {
    return { status: 200, body: JSON.stringify({ data: [], has_more: true }) };
  }
  const [, before, count] = PATH.exec(request.url) ?? [];
  if (request.method !== 'POST' || before !== prefix) return envelope(404, 'not_found_error', 'Not found');
  if (!VERSION.test(String(request.headers['anthropic-version']))) {
    return envelope(400, 'invalid_request_error', 'anthropic-version: header is required');
  }
  const body = request.json();
  const wrong = messagesFault(body) ?? fault(body!);
  if (wrong !== undefined) return envelope(400, 'invalid_request_error', wrong);
  return { operation: count === undefined ? 'messages' : 'count', body: body! };
}

function azureError(status: number, message: string) {
  return { status, headers: {}, body: JSON.stringify({ error: { code: String(status), message } }) };
}
