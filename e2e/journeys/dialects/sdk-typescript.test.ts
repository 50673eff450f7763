// The TypeScript SDKs for Bedrock, Vertex and Foundry, in front of four provider families. The script beside this file does everything once for
// each; what it saw is checked here.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installTypeScriptSdks, runScript } from '../../harness/cloud-sdks.ts';
import { COUNTED, keyOf, startTappedClouds, THINKING, type TappedClouds } from './clouds.ts';
import { ERROR_NAMES, EVENTS, expectErrors, expectTriedAgain, MESSAGE, TOOL, type Seen } from './sdk-expectations.ts';

const SCRIPT = fileURLToPath(new URL('./sdk-clouds.mjs', import.meta.url));
const FAMILIES = ['Anthropic', 'Bedrock', 'Vertex', 'Foundry'] as const;
const CLIENTS = ['AnthropicBedrock', 'AnthropicVertex', 'AnthropicFoundry'] as const;
/** The row of each client's format. */
const ROWS: Readonly<Record<(typeof CLIENTS)[number], string>> = {
  AnthropicBedrock: '[XLAT-16]',
  AnthropicVertex: '[XLAT-18]',
  AnthropicFoundry: '[AUTH-30]',
};
/** Of its client for Bedrock the SDK says itself that it does not count. */
const COUNTING = CLIENTS.filter((client) => client !== 'AnthropicBedrock');

let clouds: TappedClouds;
let seen: Readonly<Record<string, Readonly<Record<string, Seen>>>>;

beforeAll(async () => {
  const folder = await installTypeScriptSdks();
  clouds = await startTappedClouds();
  const keys = Object.fromEntries(FAMILIES.map((family) => [family, keyOf(family)]));
  seen = (await runScript([process.execPath, SCRIPT], {
    tap: clouds.tap,
    environment: { SDKS: folder, KEYS: JSON.stringify(keys), NO_KEY: `${keyOf('Anthropic')}x` },
  })) as typeof seen;
});

afterAll(() => clouds?.close());

describe.each(CLIENTS)('%s', (client) => {
  describe.each(FAMILIES)(`${client} in front of %s`, (family) => {
    const of = (): Seen => seen[client]![family]!;

    test('[API-25] [PROV-23] a message', () => {
      expect(of()['message']).toMatchObject(MESSAGE);
    });

    test(`${ROWS[client]} a stream, event by event`, () => {
      expect(of()['stream']).toEqual(EVENTS);
    });

    test('a round with a tool', () => {
      expect(of()['tool']).toEqual(TOOL);
    });

    test('[API-26] thinking with its signature', () => {
      expect(of()['thinking']).toMatchObject([{ type: 'thinking', ...THINKING }, { type: 'text' }]);
    });

    test('[XLAT-19] errors as the SDK knows them', () => {
      expectErrors(of(), ERROR_NAMES['sdk']!);
    });

    test('[XLAT-19] a rate limit is waited for', () => {
      expectTriedAgain(of(), 0.99);
    });

    test('an error in the middle of a stream is one for the client', () => {
      expect(of()['broken']).toMatchObject({ message: expect.stringMatching(/overloaded/i) as string });
    });
  });
});

test.each(COUNTING.flatMap((client) => FAMILIES.map((family) => [client, family] as const)))(
  '[XLAT-08] tokens that %s asks for are counted by %s',
  (client, family) => expect(seen[client]![family]!['count']).toBe(COUNTED),
);

test.each([
  ['AUTH-28', 'AnthropicBedrock', 'CLAUDE_CODE_SKIP_BEDROCK_AUTH'],
  ['AUTH-29', 'AnthropicVertex', 'CLAUDE_CODE_SKIP_VERTEX_AUTH'],
])("[%s] [ERR-15] %s with the cloud's credential is told what to set", (_row, client, flag) => {
  expect(seen['signed']![client]).toMatchObject({ status: 401, message: expect.stringContaining(flag) as string });
});

test('a stream that the client leaves is stopped at the provider', async () => {
  for (const client of CLIENTS) expect(seen['abandoned']![client]).toMatchObject({ class: 'APIUserAbortError' });
  const left = clouds.mocks.Anthropic.requests.filter(({ body }) => body.includes('"slow"'));
  expect(left).toHaveLength(CLIENTS.length);
  for (const { ended } of left) expect(await ended).toBe('aborted');
});
