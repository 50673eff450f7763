// A provider that falls silent in the middle of an answer: in every dialect and in front of every family the client gets a sign of life, and
// then the rest of the answer as if nothing had been.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROVIDER_FAMILIES } from '#shared/catalog/families.ts';
import { CLIENT_FORMATS } from './client-formats.ts';
import { startClouds, TEXT, type Clouds } from './clouds.ts';
import { comparableEvents } from './comparable.ts';
import { asking, succeeded } from './matrix-call.ts';

let clouds: Clouds;

beforeAll(async () => {
  clouds = await startClouds({ listen: { timeouts: { ping: '1s' } } });
  clouds.behave(({ body }) => ({
    kind: 'silence',
    afterEvents: 4,
    text: TEXT,
    ...(body.includes('"silent"') ? { forMs: 2_500 } : { forMs: 0 }),
  }));
});

afterAll(() => clouds?.close());

const WAYS = CLIENT_FORMATS.flatMap((dialect) => PROVIDER_FAMILIES.map((family) => ({ dialect, family })));

test('[XLAT-07] a ping comes while the provider is silent, and no event is lost or moved', async () => {
  const streamed = async (text: string, { dialect, family }: (typeof WAYS)[number]) =>
    dialect.events(await succeeded({ clouds, dialect, family }, dialect.turn(asking(text, true))));
  const whole = comparableEvents(await streamed('plain', WAYS[0]!));
  expect(whole.at(-1)).toMatchObject({ type: 'message_stop' });
  const answers = await Promise.all(WAYS.map((way) => streamed('silent', way)));
  for (const [index, events] of answers.entries()) {
    const name = `${WAYS[index]!.dialect.dialect} → ${WAYS[index]!.family}`;
    // The provider's own, where it has any, comes before.
    const pinged = events.slice(4).some(({ type }) => type === 'ping');
    expect([name, pinged]).toEqual([name, true]);
    expect([name, comparableEvents(events)]).toEqual([name, whole]);
  }
});
