// One call of the matrix: a turn of Claude Code with everything it sends, in a dialect, to a family.
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { turn } from '../../behaviour/claude-code.ts';
import { send, type Answer, type Ask } from '../../behaviour/http-client.ts';
import type { ClientFormat, Question } from './client-formats.ts';
import { keyOf, type Clouds } from './clouds.ts';

export interface Way {
  readonly clouds: Clouds;
  readonly dialect: ClientFormat;
  readonly family: ProviderFamily;
  /** Default: the one of the family. */
  readonly key?: string;
}

const MODEL = 'claude-sonnet-4-6';
/** Those of the fields below, the client's own, and one that nobody knows yet. */
const BETAS = [
  'claude-code-20250219',
  'interleaved-thinking-2025-05-14',
  'context-management-2025-06-27',
  'advanced-tool-use-2025-11-20',
  'effort-2025-11-24',
  'not-invented-yet-2031-01-01',
];

/**
 * @param text names what the upstream does
 * @param more turns behind the first
 */
export function asking(text: string, stream: boolean, more: readonly unknown[] = []): Question {
  const { model: _model, stream: _stream, safeguards: _safeguards, not_invented_yet: _future, ...body } = turn();
  const content = [{ type: 'text', text, cache_control: { type: 'ephemeral', ttl: '1h' } }];
  return { model: MODEL, betas: BETAS, stream, body: { ...body, messages: [{ role: 'user', content }, ...more] } };
}

export function withKey({ family, key = keyOf(family) }: Way, ask: Ask): Ask {
  return { ...ask, headers: [...(ask.headers ?? []), 'authorization', `Bearer ${key}`] };
}

export function sent(way: Way, ask: Ask): Promise<Answer> {
  return send(way.clouds.gateway.url, withKey(way, ask));
}

/** @throws with the body when it is no success */
export async function succeeded(way: Way, ask: Ask): Promise<Answer> {
  const answer = await sent(way, ask);
  if (answer.status === 200) return answer;
  const { refused } = way.clouds.mocks[way.family];
  throw new Error(`${answer.status} ${answer.body.toString()}; the provider said last: ${refused.at(-1)}`);
}
