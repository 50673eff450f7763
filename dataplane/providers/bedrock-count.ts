// CountTokens of Bedrock: the body of an InvokeModel call within another, and a figure of another name.
import { envelope } from '../errors.ts';
import type { Translator } from './provider.ts';

const NOTHING = Buffer.alloc(0);
/** What a prompt is made of; the rest of a body does not count. */
const COUNTED = ['anthropic_version', 'anthropic_beta', 'system', 'messages', 'tool_choice', 'thinking'] as const;
/** Reading and writing a body holds up every stream of the process: some 30 ms a megabyte. Twice what fills the largest window in text. */
const MAX_BODY = 8 * 1024 * 1024;
/** `{"inputTokens":N}`; an answer that is longer is something else. */
const MAX_ANSWER = 4 * 1024;

/**
 * Never throws.
 * @param body as InvokeModel would take it
 * @returns undefined when it is no JSON object, one nested too deep to be written, or too long to be read here
 */
export function bedrockCountBody(body: Buffer): Buffer | undefined {
  const call = body.length > MAX_BODY ? undefined : parse(body.toString());
  if (call === undefined) return undefined;
  const counted: Record<string, unknown> = {};
  for (const name of COUNTED) if (call[name] !== undefined) counted[name] = call[name];
  // An empty list of tools is refused, and so is a choice among none.
  if (Array.isArray(call['tools']) && call['tools'].length > 0) counted['tools'] = call['tools'];
  else delete counted['tool_choice'];
  // Nothing is generated, but the body is checked as if: the answer must have room behind the thinking.
  const { budget_tokens: budget } = (call['thinking'] ?? {}) as { budget_tokens?: unknown };
  counted['max_tokens'] = typeof budget === 'number' && budget > 0 ? Math.floor(budget) + 1 : 1;
  const text = written(counted);
  if (text === undefined) return undefined;
  const inner = Buffer.from(text).toString('base64');
  return Buffer.from(`{"input":{"invokeModel":{"body":"${inner}"}}}`);
}

/** What can be read can be too deep to be written: writing recurses. */
function written(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** `{"inputTokens":N}` → `{"input_tokens":N}`. */
export class BedrockCount implements Translator {
  readonly contentType = 'application/json';
  readonly failed = false;
  readonly #requestId: string;
  #text = '';

  constructor(requestId: string) {
    this.#requestId = requestId;
  }

  push(chunk: Buffer): Buffer {
    if (this.#text.length <= MAX_ANSWER) this.#text += chunk.toString('latin1');
    return NOTHING;
  }

  end(): Buffer {
    const tokens = parse(this.#text)?.['inputTokens'];
    if (typeof tokens === 'number') return Buffer.from(JSON.stringify({ input_tokens: tokens }));
    return Buffer.from(envelope('api_error', 'the upstream answer could not be read', this.#requestId));
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
