/** Amazon Bedrock, InvokeModel and CountTokens, as strict as the real one. */
import type { RecordedRequest, Surface, SurfaceCall, SurfaceRefusal } from '../mock-anthropic.ts';
import { awsError, awsFault, awsHeaders, eventStream, modelName } from './aws.ts';
import { asJson, unknownBeta, unknownField, unpairedField, type Json } from './body-checks.ts';

const PATH = /^\/model\/([^/]+)\/(invoke|invoke-with-response-stream|count-tokens)$/;
const FOUNDATION = /^anthropic\.claude-[a-z0-9.-]+(?::\d)?$/;
const PROFILE = /^(?:global|us|eu|apac|jp|au|us-gov)\.anthropic\.claude-[a-z0-9.-]+(?::\d)?$/;
const ARN = /^arn:aws:bedrock:[a-z0-9-]+:\d{12}:(?:application-)?inference-profile\/[\w.:-]+$/;
/** Older models are called by their own id, newer ones through a profile only. */
const ON_DEMAND = /^anthropic\.claude-(?:3|opus-4-2025|sonnet-4-2025)/;
const UNCOUNTED = /^anthropic\.claude-(?:opus|sonnet)-5$/;
const MAX_BODY = 20 * 1024 * 1024;

const BETAS: ReadonlySet<string> = new Set([
  'compact-2026-01-12',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'dangerous-tool-use-2026-09-03',
  'effort-2025-11-24',
  'fine-grained-tool-streaming-2025-05-14',
  'interleaved-thinking-2025-05-14',
  'mid-conversation-output-config-2026-07-01',
  'mid-conversation-tool-changes-2026-07-01',
  'thinking-binding-controls-2026-08-01',
  'thinking-display-updates-2026-08-18',
  'tool-search-tool-2025-10-19',
]);
const COUNT_BETAS: ReadonlySet<string> = new Set(['claude-code-20250219']);

export const bedrockSurface: Surface = {
  read: (request) => {
    const refused = awsFault(request, 'bedrock');
    if (refused !== undefined) return refused;
    const [, encodedId, action] = PATH.exec(request.url) ?? [];
    if (request.method !== 'POST' || encodedId === undefined)
      return awsError(404, 'Not Found', 'UnknownOperationException');
    const id = decodeURIComponent(encodedId);
    if (request.body.length > MAX_BODY) return awsError(413, 'Request is too large', 'RequestEntityTooLargeException');
    return action === 'count-tokens' ? readCount(request, id) : readInvoke(request, id, action !== 'invoke');
  },
  headers: (_requestId, contentType) => ({ 'content-type': contentType, ...awsHeaders() }),
  streamType: 'application/vnd.amazon.eventstream',
  encode: eventStream,
  error: (status, message) => awsError(status, message),
  modelName,
  count: (inputTokens) => JSON.stringify({ inputTokens }),
};

function readInvoke(request: RecordedRequest, id: string, stream: boolean): SurfaceCall | SurfaceRefusal {
  const isProfile = PROFILE.test(id) || ARN.test(id);
  if (!isProfile && !FOUNDATION.test(id)) return awsError(400, 'The provided model identifier is invalid.');
  if (!isProfile && !ON_DEMAND.test(id)) {
    const text = `Invocation of model ID ${id} with on-demand throughput isn’t supported.`;
    return awsError(
      400,
      `${text} Retry your request with the ID or ARN of an inference profile that contains this model.`,
    );
  }
  const body = request.json();
  const fault = bodyFault(body, BETAS);
  return fault ?? { operation: 'messages', body: { ...body, model: id, stream } };
}

function readCount(request: RecordedRequest, id: string): SurfaceCall | SurfaceRefusal {
  if (!FOUNDATION.test(id)) return awsError(400, 'The provided model identifier is invalid.');
  if (UNCOUNTED.test(id)) return awsError(400, 'The provided model doesn’t support counting tokens.');
  const { body: encoded } = asJson(asJson(asJson(request.json())['input'])['invokeModel']);
  if (typeof encoded !== 'string') return awsError(400, 'input.invokeModel.body is missing');
  const body = parse(Buffer.from(encoded, 'base64').toString());
  const fault = bodyFault(body, COUNT_BETAS);
  if (fault !== undefined) return fault;
  if (Array.isArray(body?.['tools']) && body['tools'].length === 0) return awsError(400, 'tools: must not be empty');
  const budget = Number(asJson(body?.['thinking'])['budget_tokens'] ?? 0);
  if (Number(body?.['max_tokens']) <= budget)
    return awsError(400, '`max_tokens` must be greater than `thinking.budget_tokens`.');
  return { operation: 'count', body: { ...body, model: id } };
}

function bodyFault(body: Json | undefined, known: ReadonlySet<string>): SurfaceRefusal | undefined {
  if (body === undefined) return awsError(400, 'Malformed input request, please reformat your input and try again.');
  const field = unknownField(body, ['anthropic_version', 'anthropic_beta']);
  if (field !== undefined) {
    const text = `Malformed input request: #: extraneous key [${field}] is not permitted`;
    return awsError(400, `${text}, please reformat your input and try again.`);
  }
  const version = body['anthropic_version'];
  if (version !== 'bedrock-2023-05-31' && version !== '2026-10-21') return awsError(400, 'anthropic_version: invalid');
  if (typeof body['max_tokens'] !== 'number') return awsError(400, 'max_tokens: Field required');
  if (!Array.isArray(body['messages'])) return awsError(400, 'messages: Field required');
  const betas = body['anthropic_beta'] ?? [];
  if (!Array.isArray(betas) || unknownBeta(betas as string[], known) !== undefined)
    return awsError(400, 'invalid beta flag');
  const unpaired = unpairedField(body, betas as string[]);
  return unpaired === undefined ? undefined : awsError(400, `${unpaired}: Extra inputs are not permitted`);
}

function parse(text: string): Json | undefined {
  try {
    return asJson(JSON.parse(text));
  } catch {
    return undefined;
  }
}
