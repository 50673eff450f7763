// The Anthropic API as an upstream: the body as received, `anthropic-*` and `x-stainless-*` as an open set, the client's credential
// replaced by ours wherever it stands.
import type { IncomingMessage } from 'node:http';
import type { ServedModel } from '../admit/models.ts';
import { replaceValue, type MessageFields } from './message-fields.ts';
import type { UpstreamTarget } from './target.ts';

/** What is needed of a client call to call an upstream. */
export interface ProviderRequest {
  readonly client: IncomingMessage;
  readonly path: '/v1/messages' | '/v1/messages/count_tokens';
  /** Query with its `?`, or `''`. */
  readonly search: string;
  readonly body: Buffer;
  readonly fields: MessageFields;
  readonly model: ServedModel;
  /** The client's credentials, which must not go upstream in any header or in the query. */
  readonly credentials: readonly string[];
}

export interface UpstreamRequest {
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: Buffer;
  /** Model id the upstream is asked for. */
  readonly modelId: string;
}

const FORWARDED = new Set(['accept', 'accept-encoding', 'content-type', 'user-agent']);

/** Belong to the client's account or carry a credential, so they stay here although their names begin with `anthropic-`. */
const WITHHELD = new Set(['anthropic-workspace-id', 'anthropic-api-key', 'anthropic-organization-id']);

export function anthropicRequest(target: UpstreamTarget, request: ProviderRequest): UpstreamRequest {
  const { path, search, body, fields, model, credentials } = request;
  const modelId = target.mappedId(model) ?? (model.native.has(fields.model) ? fields.model : model.id);
  return {
    path: `${target.pathPrefix}${path}${holdsAny(search, credentials) ? '' : search}`,
    headers: upstreamHeaders(target, request.client, credentials),
    body: modelId === fields.model ? body : replaceValue(body, fields.modelField, JSON.stringify(modelId)),
    modelId,
  };
}

function upstreamHeaders(
  target: UpstreamTarget,
  { rawHeaders }: IncomingMessage,
  credentials: readonly string[],
): string[] {
  const headers: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const open = name.startsWith('anthropic-')
      ? !WITHHELD.has(name)
      : name.startsWith('x-stainless-') || FORWARDED.has(name);
    if (!open || target.setsHeader(name)) continue;
    const value = rawHeaders[i + 1]!;
    if (!holdsAny(value, credentials)) headers.push(name, value);
  }
  target.appendHeaders(headers);
  return headers;
}

function holdsAny(text: string, credentials: readonly string[]): boolean {
  return credentials.some((credential) => text.includes(credential));
}
