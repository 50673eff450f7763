// The TypeScript SDKs for Bedrock, Vertex and Foundry, in front of four provider families. The script beside this file does everything once for
// each; what it saw is checked here.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installTypeScriptSdks, runScript } from '../../harness/cloud-sdks.ts';
import { keyOf, startTappedClouds, THINKING, type TappedClouds } from './clouds.ts';
import {
  ERROR_NAMES,
  EVENTS,
  expectCount,
  expectErrors,
  expectTriedAgain,
  MESSAGE,
  TOOL,
  type Seen,
} from './sdk-expectations.ts';

const SCRIPT = fileURLToPath(new URL('./sdk-clouds.mjs', import.meta.url));
const FAMILIES = ['Anthropic', 'Bedrock', 'Vertex', 'Foundry'] as const;
const CLIENTS = ['AnthropicBedrock', 'AnthropicVertex', 'AnthropicFoundry'] as const;

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

    test('[XLAT-16] [XLAT-18] a stream, event by event', () => {
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

    test.skipIf(client === 'AnthropicBedrock')('[XLAT-08] tokens are counted by the provider', () => {
      expectCount(of());
    });
  });
});

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
