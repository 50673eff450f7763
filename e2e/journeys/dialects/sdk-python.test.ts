// boto3 and the cloud clients of the official Python SDK, in front of four provider families. The script beside this file does everything
// once for each; what it saw is checked here.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installPythonSdks, runScript } from '../../harness/cloud-sdks.ts';
import { COUNTED, keyOf, startTappedClouds, TEXT, THINKING, upstreamOf, type TappedClouds } from './clouds.ts';
import { ERROR_NAMES, EVENTS, expectErrors, expectTriedAgain, MESSAGE, TOOL, type Seen } from './sdk-expectations.ts';
import { startTlsDoor, type TlsDoor } from './tls-door.ts';

const SCRIPT = fileURLToPath(new URL('./sdk_clouds.py', import.meta.url));
const FAMILIES = ['Anthropic', 'Bedrock', 'Vertex', 'Foundry'] as const;
const CLIENTS = ['boto3', 'AnthropicBedrock', 'AnthropicVertex', 'AnthropicFoundry', 'AnthropicAWS'] as const;
/** The row of each client's format. */
const ROWS: Readonly<Record<(typeof CLIENTS)[number], string>> = {
  boto3: '[XLAT-16]',
  AnthropicBedrock: '[XLAT-16]',
  AnthropicVertex: '[XLAT-18]',
  AnthropicFoundry: '[AUTH-30]',
  AnthropicAWS: '[AUTH-30]',
};
/** Of its client for Bedrock the SDK says itself that it does not count. */
const COUNTING = CLIENTS.filter((client) => client !== 'AnthropicBedrock');

let clouds: TappedClouds;
let door: TlsDoor;
let seen: Readonly<Record<string, Readonly<Record<string, Seen>>>>;

beforeAll(async () => {
  const python = await installPythonSdks();
  clouds = await startTappedClouds();
  const keys = Object.fromEntries(FAMILIES.map((family) => [family, keyOf(family)]));
  door = await startTlsDoor(clouds.tap.url);
  seen = (await runScript([python, SCRIPT], {
    tap: door.tap,
    environment: {
      KEYS: JSON.stringify(keys),
      NO_KEY: `${keyOf('Anthropic')}x`,
      AWS_CA_BUNDLE: door.authority,
      SSL_CERT_FILE: door.authority,
    },
  })) as typeof seen;
});

afterAll(async () => {
  await door?.close();
  await clouds?.close();
});

describe.each(CLIENTS)('%s', (client) => {
  describe.each(FAMILIES)(`${client} in front of %s`, (family) => {
    const of = (): Seen => seen[client]![family]!;

    test('[API-25] [PROV-23] a message', () => {
      expect(of()['message']).toMatchObject(MESSAGE);
    });

    test(`${ROWS[client]} a stream, event by event`, () => {
      expect(of()['stream']).toMatchObject({ types: EVENTS, text: TEXT, stop: 'end_turn' });
    });

    test('a round with a tool', () => {
      expect(of()['tool']).toEqual(TOOL);
    });

    test('[API-26] thinking with its signature', () => {
      expect(of()['thinking']).toMatchObject({ thinking: THINKING.thinking + THINKING.signature, stop: 'end_turn' });
    });

    test('[XLAT-19] errors as the SDK knows them', () => {
      expectErrors(of(), ERROR_NAMES[client] ?? ERROR_NAMES['sdk']!);
    });

    test('[XLAT-19] a rate limit is waited for', () => {
      // AWS's own waits as long as it likes.
      expectTriedAgain(of(), client === 'boto3' ? 0 : 0.99);
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
  ['AUTH-28', 'boto3', 'CLAUDE_CODE_SKIP_BEDROCK_AUTH'],
  ['AUTH-28', 'AnthropicBedrock', 'CLAUDE_CODE_SKIP_BEDROCK_AUTH'],
  ['AUTH-29', 'AnthropicVertex', 'CLAUDE_CODE_SKIP_VERTEX_AUTH'],
  ['AUTH-30', 'AnthropicAWS', 'CLAUDE_CODE_SKIP_ANTHROPIC_AWS_AUTH'],
])("[%s] [ERR-15] %s with the cloud's credential is told what to set", (_row, client, flag) => {
  expect(seen['signed']![client]).toMatchObject({ status: 401, message: expect.stringContaining(flag) as string });
});

test('a stream that the client leaves is stopped at the provider', async () => {
  expect(seen['abandoned']).toEqual(Object.fromEntries(CLIENTS.map((client) => [client, true])));
  const left = clouds.mocks.Anthropic.requests.filter(({ body }) => body.includes('"slow"'));
  expect(left).toHaveLength(CLIENTS.length);
  for (const { ended } of left) expect(await ended).toBe('aborted');
});

test('[AUDIT-03] the record of each call names the dialect and the upstream', async () => {
  const records = await clouds.records(1);
  for (const family of FAMILIES) {
    const dialects = records.filter(({ upstream }) => upstream === upstreamOf(family)).map(({ dialect }) => dialect);
    expect(new Set(dialects)).toEqual(new Set(['Bedrock', 'Vertex', 'Foundry', 'ClaudePlatformAWS']));
  }
});
