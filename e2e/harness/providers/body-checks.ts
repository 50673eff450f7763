/**
 * What providers refuse in a body: top-level fields they do not know, betas outside a closed set, fields whose beta is not there. Written
 * down here a second time, from what the providers document, so that the gateway's own tables are not their own judge.
 */
import type { RecordedRequest, SurfaceRefusal } from '../mock-anthropic.ts';

export type Json = Readonly<Record<string, unknown>>;

/** What every provider's Messages body may hold, besides what is dialect. */
const FIELDS: ReadonlySet<string> = new Set([
  'max_tokens',
  'messages',
  'system',
  'temperature',
  'top_p',
  'top_k',
  'tools',
  'tool_choice',
  'stop_sequences',
  'thinking',
  'output_config',
  'context_management',
  'metadata',
  'safeguards',
  'cache_control',
]);

/** Places in a body, each with the beginnings of the betas one of which it wants. */
const PAIRED: readonly (readonly [holds: (body: Json) => boolean, field: string, betas: readonly string[]])[] = [
  [(body) => body['context_management'] !== undefined, 'context_management', ['context-management-', 'compact-']],
  [
    (body) => toolHas(body, 'defer_loading'),
    'tools.0.custom.defer_loading',
    ['tool-search-tool-', 'advanced-tool-use-'],
  ],
  [(body) => asJson(body['output_config'])['effort'] !== undefined, 'output_config.effort', ['effort-']],
];

/** @returns the first field the provider has never heard of */
export function unknownField(body: Json, dialect: readonly string[]): string | undefined {
  return Object.keys(body).find((key) => !FIELDS.has(key) && !dialect.includes(key));
}

/** @returns the first beta outside the set */
export function unknownBeta(betas: readonly string[], known: ReadonlySet<string>): string | undefined {
  return betas.find((beta) => !known.has(beta));
}

/** @returns the first field whose beta was not sent */
export function unpairedField(body: Json, betas: readonly string[]): string | undefined {
  return PAIRED.find(([holds, , wanted]) => {
    return holds(body) && !betas.some((beta) => wanted.some((beginning) => beta.startsWith(beginning)));
  })?.[1];
}

export function betasOf({ headers }: RecordedRequest): string[] {
  return list(headers['anthropic-beta']);
}

function list(header: string | string[] | undefined): string[] {
  return String(header ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

export function asJson(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

/** What a plain Messages endpoint in a cloud refuses, in the words of the Anthropic envelope. */
export function messagesFault(body: Json | undefined): string | undefined {
  if (body === undefined) return 'The request body is not valid JSON';
  if (typeof body['model'] !== 'string') return 'model: Field required';
  if (!Array.isArray(body['messages'])) return 'messages: Field required';
  return undefined;
}

export function envelope(status: number, type: string, message: string): SurfaceRefusal {
  return { status, body: JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req_011mock' }) };
}

function toolHas({ tools }: Json, field: string): boolean {
  return Array.isArray(tools) && tools.some((tool) => asJson(tool)[field] !== undefined);
}
