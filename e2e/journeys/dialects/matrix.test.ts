// Every client dialect in front of every provider family, by hand over HTTP: what comes back is what a call of the Messages API to Anthropic
// gets, in the client's own words. A cell passes or is refused for a reason that stands here. Prints the matrix at its end.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dialect } from '#shared/bundle/bundle.ts';
import { PROVIDER_FAMILIES, type ProviderFamily } from '#shared/catalog/families.ts';
import { open, readUntil } from '../../behaviour/http-client.ts';
import { CLIENT_FORMATS, jsonOf, type Json } from './client-formats.ts';
import { COUNTED, RATE_LIMITED, startClouds, TOO_LONG, type Clouds } from './clouds.ts';
import { comparable, comparableEvents, contentOf } from './comparable.ts';
import { asking, sent, succeeded, withKey, type Way } from './matrix-call.ts';
import { printed, type Cell } from './matrix-print.ts';

const COLUMNS = ['message', 'stream', 'tools', 'thinking', 'count', 'count-5', 'error', 'abort'] as const;
type Column = (typeof COLUMNS)[number];

/** What is refused, and why; everything else has to pass. */
const REFUSED: Readonly<Partial<Record<ProviderFamily, Readonly<Partial<Record<Column, string>>>>>> = {
  Bedrock: { 'count-5': 'Bedrock does not count the tokens of Claude Sonnet 5: 404, and the client estimates' },
};

/** Of Bedrock alone. */
const UNCOUNTED = 'claude-sonnet-5';

/** The rows that a family's cells prove besides. */
const ROWS_OF: Readonly<Record<ProviderFamily, string>> = {
  Anthropic: '[XLAT-19]',
  AnthropicCompatible: '[XLAT-19]',
  Bedrock: '[XLAT-05] [XLAT-06] [XLAT-08]',
  BedrockMantle: '[XLAT-11]',
  ClaudePlatformAWS: '[XLAT-10]',
  Foundry: '[XLAT-10]',
  Vertex: '[XLAT-09]',
};

/** As each dialect names a bad request and too many of them. */
const KINDS: Readonly<Record<Dialect, readonly [tooLong: string, tooMany: string]>> = {
  Anthropic: ['invalid_request_error', 'rate_limit_error'],
  Bedrock: ['ValidationException', 'ThrottlingException'],
  Vertex: ['INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED'],
  Foundry: ['invalid_request_error', 'rate_limit_error'],
  ClaudePlatformAWS: ['invalid_request_error', 'rate_limit_error'],
};

let clouds: Clouds;
let baseline: Readonly<Record<'message' | 'stream' | 'tools' | 'thinking', unknown>>;
const rows = new Map<string, Map<string, Cell>>();

beforeAll(async () => {
  clouds = await startClouds();
  const [plain] = CLIENT_FORMATS;
  const answered = { clouds, dialect: plain!, family: 'Anthropic' } as const;
  baseline = {
    message: await message(answered),
    stream: await stream(answered, 'plain'),
    tools: await tools(answered),
    thinking: await thinking(answered),
  };
});

afterAll(async () => {
  await clouds?.close();
  console.log(`dialect → upstream\n${printed(COLUMNS, rows)}`);
});

async function message(way: Way): Promise<Json> {
  return comparable(jsonOf(await succeeded(way, way.dialect.turn(asking('plain', false)))));
}

async function stream(way: Way, text: string): Promise<Json[]> {
  const answer = await succeeded(way, way.dialect.turn(asking(text, true)));
  expect(answer.complete).toBe(true);
  return comparableEvents(way.dialect.events(answer));
}

/** A tool is asked for, in a stream, and its result answered, at once. */
async function tools(way: Way): Promise<readonly unknown[]> {
  const events = way.dialect.events(await succeeded(way, way.dialect.turn(asking('tool', true))));
  const content = contentOf(events);
  const use = content.find(({ type }) => type === 'tool_use');
  const result = { type: 'tool_result', tool_use_id: use?.['id'], content: 'rain' };
  const more = [
    { role: 'assistant', content },
    { role: 'user', content: [result] },
  ];
  const answer = await succeeded(way, way.dialect.turn(asking('tool', false, more)));
  return [comparableEvents(events), comparable(jsonOf(answer))];
}

/** Thinking comes with its signature, and goes back as it came. */
async function thinking(way: Way): Promise<Json[]> {
  const events = way.dialect.events(await succeeded(way, way.dialect.turn(asking('thinking', true))));
  const content = contentOf(events);
  const more = [
    { role: 'assistant', content },
    { role: 'user', content: 'go on' },
  ];
  await succeeded(way, way.dialect.turn(asking('plain', false, more)));
  const upstream = clouds.mocks[way.family].requests.at(-1)!.json()!['messages'] as { content: unknown }[];
  expect(upstream[1]?.content).toEqual(content);
  return comparableEvents(events);
}

async function count(way: Way, model = asking('plain', false).model): Promise<void> {
  const answer = await succeeded(way, way.dialect.count({ ...asking('plain', false), model }));
  expect(way.dialect.tokens(answer)).toBe(COUNTED);
}

/** A count that is not to be had is 404, after which Claude Code estimates; anything else has it ask again or bill. */
async function uncounted(way: Way): Promise<void> {
  const answer = await sent(way, way.dialect.count({ ...asking('plain', false), model: UNCOUNTED }));
  expect(answer.status).toBe(404);
  expect(way.dialect.error(answer).message).toMatch(/token counting is not available/);
}

async function error(way: Way): Promise<void> {
  const [tooLong, tooMany] = KINDS[way.dialect.dialect];
  for (const isStream of [true, false]) {
    const refused = await sent(way, way.dialect.turn(asking('too long', isStream)));
    expect([refused.status, way.dialect.error(refused)]).toEqual([
      400,
      { kind: tooLong, message: expect.stringMatching(TOO_LONG) as string },
    ]);
    const limited = await sent(way, way.dialect.turn(asking('limited', isStream)));
    expect([limited.status, limited.headers['retry-after'], way.dialect.error(limited)]).toEqual([
      429,
      '1',
      { kind: tooMany, message: expect.stringMatching(RATE_LIMITED) as string },
    ]);
  }
}

async function abort(way: Way): Promise<void> {
  const opened = await open(clouds.gateway.url, withKey(way, way.dialect.turn(asking('slow', true))));
  await readUntil(opened.response, '');
  const request = clouds.mocks[way.family].requests.at(-1)!;
  opened.request.destroy();
  expect(await Promise.race([request.ended, sleep(1_000, 'still running')])).toBe('aborted');
}

const CHECKS: Readonly<Record<Column, (way: Way) => Promise<void>>> = {
  message: async (way) => expect(await message(way)).toEqual(baseline.message),
  stream: async (way) => expect(await stream(way, 'plain')).toEqual(baseline.stream),
  tools: async (way) => expect(await tools(way)).toEqual(baseline.tools),
  thinking: async (way) => expect(await thinking(way)).toEqual(baseline.thinking),
  count: (way) => count(way),
  'count-5': (way) => count(way, UNCOUNTED),
  error,
  abort,
};

test('what the others are compared with is a whole answer', () => {
  expect(baseline).toMatchObject({
    message: { type: 'message', content: [{ type: 'text' }], stop_reason: 'end_turn' },
    tools: [{ length: expect.any(Number) as number }, { stop_reason: 'end_turn' }],
  });
  expect((baseline.stream as Json[]).map(({ type }) => type)).toContain('message_stop');
  expect(JSON.stringify(baseline.thinking)).toContain('signature_delta');
});

describe.each(CLIENT_FORMATS.map((dialect) => [dialect.dialect, dialect] as const))('%s', (name, dialect) => {
  describe.each(PROVIDER_FAMILIES)(`${name} → %s`, (family) => {
    const row = `${name} → ${family}`;
    rows.set(row, new Map());

    test.each(COLUMNS)(`[PROV-23] ${ROWS_OF[family]} %s`, async (column) => {
      const reason = REFUSED[family]?.[column];
      rows.get(row)!.set(column, 'fail');
      const way = { clouds, dialect, family };
      await (reason === undefined ? CHECKS[column](way) : uncounted(way));
      rows.get(row)!.set(column, reason === undefined ? 'pass' : { refused: reason });
    });
  });
});
