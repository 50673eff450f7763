/**
 * The shapes of the Messages API as a provider writes them: usage, JSON messages, SSE frames, error envelopes, response
 * headers. Pure functions; the mock upstream sends what they return.
 */

/** Token counts as the API reports them. */
export interface Usage {
  readonly input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly cache_creation: {
    readonly ephemeral_5m_input_tokens: number;
    readonly ephemeral_1h_input_tokens: number;
  };
  readonly output_tokens: number;
  readonly service_tier: string;
}

export const defaultUsage: Usage = {
  input_tokens: 12,
  cache_creation_input_tokens: 256,
  cache_read_input_tokens: 2048,
  cache_creation: { ephemeral_5m_input_tokens: 256, ephemeral_1h_input_tokens: 0 },
  output_tokens: 9,
  service_tier: 'standard',
};

/** One content block of an answer. */
export type ContentBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: object };

/** Everything needed to write an answer, as a stream or as JSON. */
export interface Message {
  readonly id: string;
  readonly model: string;
  readonly content: readonly ContentBlock[];
  readonly stopReason: string;
  readonly usage: Usage;
}

/** The body of a non-streaming answer. */
export function messageJson(message: Message): Buffer {
  return Buffer.from(
    JSON.stringify({
      model: message.model,
      id: message.id,
      type: 'message',
      role: 'assistant',
      content: message.content,
      stop_reason: message.stopReason,
      stop_sequence: null,
      usage: message.usage,
    }),
  );
}

/** One SSE event in the provider's spelling: `event:` and one `data:` line. */
export function frame(event: string, data: object): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** The frames before the first delta of a block list: `message_start`, with the input side of the usage. */
export function startFrame(message: Message): Buffer {
  return frame('message_start', {
    type: 'message_start',
    message: {
      model: message.model,
      id: message.id,
      type: 'message',
      role: 'assistant',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...message.usage, output_tokens: 1 },
    },
  });
}

export const pingFrame: Buffer = Buffer.from('event: ping\ndata: {"type": "ping"}\n\n');

export function textDeltaFrame(index: number, text: string): Buffer {
  return frame('content_block_delta', { type: 'content_block_delta', index, delta: { type: 'text_delta', text } });
}

export function blockStartFrame(index: number, block: ContentBlock): Buffer {
  const empty =
    block.type === 'text'
      ? { type: 'text', text: '' }
      : block.type === 'thinking'
        ? { type: 'thinking', thinking: '', signature: '' }
        : { ...block, input: {} };
  return frame('content_block_start', { type: 'content_block_start', index, content_block: empty });
}

/** `content_block_stop`, `message_delta` with the cumulative usage, and `message_stop`. */
export function closingFrames(message: Message, lastIndex: number): Buffer[] {
  const { service_tier: _, cache_creation: __, ...counts } = message.usage;
  return [
    frame('content_block_stop', { type: 'content_block_stop', index: lastIndex }),
    frame('message_delta', {
      type: 'message_delta',
      delta: { stop_reason: message.stopReason, stop_sequence: null },
      usage: counts,
    }),
    frame('message_stop', { type: 'message_stop' }),
  ];
}

/** The whole answer as SSE frames, one Buffer an event; the provider's `ping` follows the first block's start. */
export function messageFrames(message: Message): Buffer[] {
  const frames = [startFrame(message)];
  message.content.forEach((block, index) => {
    if (index > 0) frames.push(frame('content_block_stop', { type: 'content_block_stop', index: index - 1 }));
    frames.push(blockStartFrame(index, block));
    if (index === 0) frames.push(pingFrame);
    frames.push(...deltaFrames(block, index));
  });
  frames.push(...closingFrames(message, Math.max(0, message.content.length - 1)));
  return frames;
}

function deltaFrames(block: ContentBlock, index: number): Buffer[] {
  if (block.type === 'text') {
    const words = block.text.match(/\s*\S+\s*$|\s*\S+/g) ?? [];
    return words.map((word) => textDeltaFrame(index, word));
  }
  if (block.type === 'thinking') {
    const deltas = [
      { type: 'thinking_delta', thinking: block.thinking },
      { type: 'signature_delta', signature: block.signature },
    ];
    return deltas.map((delta) => frame('content_block_delta', { type: 'content_block_delta', index, delta }));
  }
  // The provider streams a tool's input as pieces of its JSON text, starting with an empty one.
  const json = JSON.stringify(block.input);
  const half = Math.ceil(json.length / 2);
  return ['', json.slice(0, half), json.slice(half)].map((partial) =>
    frame('content_block_delta', {
      type: 'content_block_delta',
      index,
      delta: { type: 'input_json_delta', partial_json: partial },
    }),
  );
}

const errorTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** The error type the provider documents for a status; `api_error` for the rest of 5xx. */
export function errorTypeOf(status: number): string {
  return errorTypes[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}

export function errorEnvelope(type: string, message: string, requestId: string): string {
  return JSON.stringify({ type: 'error', error: { type, message }, request_id: requestId });
}

/**
 * The headers the provider and the network in front of it put on every answer. Some of them a gateway must not pass on
 * (rate limits of the account, the organisation, cookies), which is why they are here.
 */
export function providerHeaders(requestId: string, contentType: string): Record<string, string> {
  const reset = '2026-01-01T00:00:30Z';
  const headers: Record<string, string> = {
    'content-type': contentType,
    'cache-control': 'no-cache',
    'request-id': requestId,
    'anthropic-organization-id': '00000000-0000-4000-8000-00000000c0de',
    'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
    server: 'cloudflare',
    via: '1.1 google',
    'cf-cache-status': 'DYNAMIC',
    'cf-ray': '8f00c0ffee00beef-FRA',
    'set-cookie': '_cfuvid=mock-visitor; HttpOnly; SameSite=None; Secure; Path=/; Domain=api.anthropic.com',
    'x-robots-tag': 'none',
  };
  for (const [name, limit] of [
    ['requests', 4000],
    ['input-tokens', 2_000_000],
    ['output-tokens', 400_000],
    ['tokens', 2_400_000],
  ] as const) {
    headers[`anthropic-ratelimit-${name}-limit`] = String(limit);
    headers[`anthropic-ratelimit-${name}-remaining`] = String(limit - 1);
    headers[`anthropic-ratelimit-${name}-reset`] = reset;
  }
  return headers;
}
