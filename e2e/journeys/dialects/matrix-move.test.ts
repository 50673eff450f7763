// The platform team moves people from provider to provider in the middle of their work: the client keeps its format, base URL, key and
// conversation, and does not notice.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROVIDER_FAMILIES } from '#shared/catalog/families.ts';
import { CLIENT_FORMATS, type Json } from './client-formats.ts';
import { MOVED_KEY, startClouds, type Clouds } from './clouds.ts';
import { comparableEvents, contentOf } from './comparable.ts';
import { asking, succeeded } from './matrix-call.ts';

let clouds: Clouds;

beforeAll(async () => {
  clouds = await startClouds();
});

afterAll(() => clouds?.close());

test.each(CLIENT_FORMATS.map((dialect) => [dialect.dialect, dialect] as const))(
  '[PROV-23] a conversation in the %s format goes on through every family',
  async (_name, dialect) => {
    const conversation: Json[] = [];
    const answers: Json[][] = [];
    for (const family of PROVIDER_FAMILIES) {
      clouds.move(family);
      const { [family]: mock } = clouds.mocks;
      const before = mock.received();
      const turn = dialect.turn(asking('thinking', true, conversation));
      const events = dialect.events(await succeeded({ clouds, dialect, family, key: MOVED_KEY }, turn));
      answers.push(comparableEvents(events));
      conversation.push({ role: 'assistant', content: contentOf(events) }, { role: 'user', content: 'go on' });
      expect(mock.received()).toBe(before + 1);
      const received = mock.requests.at(-1)!.json()!['messages'] as unknown[];
      expect(received.slice(1)).toEqual(conversation.slice(0, -2));
    }
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  },
);
