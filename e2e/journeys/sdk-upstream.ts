// What the mock provider does for the SDK journeys: the user's text names it, so that scripts in any language ask for the same things.
import {
  basicResources,
  CI_KEY,
  importedKey,
  object,
  policy,
  withObjects,
  type Resources,
} from '../harness/resources.ts';
import type { Behave, Behaviour } from '../harness/mock-anthropic.ts';

/** May list and count, but not ask. */
export const READ_KEY = 'sk-pc-read-0123456789abcdefghijklmnopqrstuvwxyzABCD';
export const NO_KEY = `${CI_KEY}x`;
export const MODEL = 'claude-haiku-5-5';
/** Another name for {@link MODEL} at this gateway. */
export const ALIAS = 'claude-fast';
export const DENIED_MODEL = 'claude-opus-5-5';

export function sdkResources(url: string): Resources {
  return withObjects(
    basicResources(url),
    [
      object('Gateway', 'claude', {
        publicUrl: 'http://127.0.0.1:1',
        models: { entries: [{ id: ALIAS, displayName: 'Fast', target: MODEL }] },
      }),
      policy('everyone', { match: { everyone: {} }, models: { allow: ['claude-haiku-*', ALIAS] } }),
      importedKey('read', { scopes: ['read'] }),
    ],
    { 'default/keys': { read: READ_KEY } },
  );
}

/** Number of text deltas of an answer to `slow`; nobody waits for the last. */
const SLOW_DELTAS = 10_000;

export function sdkUpstream(): Behave {
  let limited = 0;
  let overloaded = 0;
  return (request): Behaviour => {
    const body = request.json();
    if (request.url.includes('count_tokens')) return { kind: 'count', inputTokens: 4321 };
    const [first] = (body?.['messages'] ?? []) as { content: unknown }[];
    switch (first?.content) {
      case 'tool':
        return { kind: 'tool', name: 'weather', input: { city: 'Zürich', days: [1, 2] }, finalText: 'It rains.' };
      case 'slow':
        return { kind: 'events', count: SLOW_DELTAS, gapMs: 20, delta: 'word ' };
      case 'limited once':
        return (limited += 1) === 1 ? tooMany('1') : { kind: 'text', text: 'after the limit' };
      case 'limited':
        return tooMany('17');
      case 'overloaded twice':
        return (overloaded += 1) <= 2 ? { kind: 'status', status: 529, message: 'Overloaded' } : { kind: 'text' };
      case 'invalid':
        return { kind: 'status', status: 400, message: 'messages: roles must alternate' };
      default:
        return { kind: 'text', text: 'Hello, Grüße, 你好 👋' };
    }
  };
}

function tooMany(retryAfter: string): Behaviour {
  return { kind: 'status', status: 429, message: 'slow down', headers: { 'retry-after': retryAfter } };
}
