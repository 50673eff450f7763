/** Google Vertex AI: rawPredict, streamRawPredict and the counting of tokens, as strict as the real one. */
import type { RecordedRequest, Surface, SurfaceCall, SurfaceRefusal } from '../mock-anthropic.ts';
import { GOOGLE, PLANTED } from './accounts.ts';
import { betasOf, envelope, unknownBeta, unknownField, unpairedField } from './body-checks.ts';

const PATH =
  /^\/v1\/projects\/([^/]+)\/locations\/([^/]+)\/publishers\/anthropic\/models\/([^/:]+):(rawPredict|streamRawPredict)$/;
const MODEL = /^claude-[a-z0-9-]+(?:@\d{8})?$/;
const MAX_BODY = 30 * 1024 * 1024;

const BETAS: ReadonlySet<string> = new Set([
  'claude-code-20250219',
  'compact-2026-01-12',
  'compact-2026-09-04',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'dangerous-tool-use-2026-09-03',
  'effort-2025-11-24',
  'interleaved-thinking-2025-05-14',
  'per-turn-control-2026-07-01',
  'thinking-binding-controls-2026-08-01',
  'thinking-display-updates-2026-08-18',
  'token-counting-2024-11-01',
  'tool-search-tool-2025-10-19',
  'web-search-2025-03-05',
]);

const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

export const vertexSurface: Surface = {
  read: (request) => {
    if (request.headers.authorization !== `Bearer ${GOOGLE.token}`) {
      return googleError(401, 'Request had invalid authentication credentials.');
    }
    const [, project, location, model, method] = PATH.exec(request.url) ?? [];
    if (request.method !== 'POST' || model === undefined) return googleError(404, 'The requested URL was not found.');
    if (project !== GOOGLE.project || location === undefined) {
      return googleError(403, `Permission denied on resource project ${PLANTED.project}.`);
    }
    if (request.body.length > MAX_BODY)
      return googleError(400, `Request payload size exceeds the limit: ${MAX_BODY} bytes.`);
    return model === 'count-tokens' ? readCount(request) : readCall(request, model, method === 'streamRawPredict');
  },
  headers: (_requestId, contentType) => ({
    'content-type': contentType,
    server: 'scaffolding on HTTPServer2',
    vary: 'X-Origin',
  }),
  error: googleError,
  modelName: (asked) => asked.replace('@', '-'),
};

function readCall(request: RecordedRequest, model: string, stream: boolean): SurfaceCall | SurfaceRefusal {
  const notFound = `Publisher Model \`${PLANTED.project}/publishers/anthropic/models/${model}\` was not found.`;
  if (!MODEL.test(decodeURIComponent(model))) return googleError(404, notFound);
  const body = request.json() ?? {};
  if (typeof body['max_tokens'] !== 'number') return invalid('max_tokens: Field required');
  const fault = bodyFault(request, body, ['anthropic_version', 'stream']);
  return fault ?? { operation: 'messages', body: { ...body, model, stream } };
}

function readCount(request: RecordedRequest): SurfaceCall | SurfaceRefusal {
  const body = request.json() ?? {};
  if (typeof body['model'] !== 'string') return invalid('model: Field required');
  const fault = bodyFault(request, body, ['anthropic_version', 'model']);
  return fault ?? { operation: 'count', body };
}

function bodyFault(
  request: RecordedRequest,
  body: Readonly<Record<string, unknown>>,
  dialect: readonly string[],
): SurfaceRefusal | undefined {
  const field = unknownField(body, dialect);
  if (field !== undefined) return invalid(`${field}: Extra inputs are not permitted`);
  if (body['anthropic_version'] !== 'vertex-2023-10-16') return invalid('anthropic_version: Field required');
  if (!Array.isArray(body['messages'])) return invalid('messages: Field required');
  const betas = betasOf(request);
  const beta = unknownBeta(betas, BETAS);
  if (beta !== undefined) return invalid(`Unexpected value(s) \`${beta}\` for the \`anthropic-beta\` header.`);
  const unpaired = unpairedField(body, betas);
  return unpaired === undefined ? undefined : invalid(`${unpaired}: Extra inputs are not permitted`);
}

/** What the model itself has to say comes in Anthropic's envelope. */
function invalid(message: string): SurfaceRefusal {
  return envelope(400, 'invalid_request_error', message);
}

function googleError(status: number, message: string) {
  const error = { code: status, message, status: STATUS_NAMES[status] ?? 'UNKNOWN' };
  return { status, headers: {}, body: JSON.stringify({ error }) };
}
