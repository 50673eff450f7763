// The official Python SDK through the built program. The script beside this file does everything once; what it saw is checked here, and so is
// what the gateway and the provider saw of it.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cachedClient, install } from '../harness/client-cache.ts';
import { startJourney, type Journey, type JourneyCall } from '../harness/journey.ts';
import { CI_KEY } from '../harness/resources.ts';
import { ALIAS, DENIED_MODEL, MODEL, NO_KEY, READ_KEY, sdkResources, sdkUpstream } from './sdk-upstream.ts';

const ANTHROPIC_VERSION = '2.12.0';
const SCRIPT = fileURLToPath(new URL('./sdk_python.py', import.meta.url));
const RUN_MS = 60_000;
const TEXT = 'Hello, Grüße, 你好 👋';

interface Failure {
  readonly class: string;
  readonly is_a: readonly string[];
  readonly status: number;
  readonly message: string;
  readonly request_id: string;
  readonly retry_after: string | null;
}

let journey: Journey;
let seen: Readonly<Record<string, unknown>>;
let calls: JourneyCall[];

beforeAll(async () => {
  const folder = await cachedClient(`anthropic-python-${ANTHROPIC_VERSION}`, async (into) => {
    await install('python3', ['-m', 'venv', into], into);
    await install(python(into), ['-m', 'pip', 'install', '--quiet', `anthropic==${ANTHROPIC_VERSION}`], into);
  });
  journey = await startJourney(sdkResources);
  journey.mock.behave(sdkUpstream());
  const { stdout } = await promisify(execFile)(python(folder), [SCRIPT], {
    env: {
      PATH: process.env['PATH'],
      PYTHONDONTWRITEBYTECODE: '1',
      BASE_URL: journey.tap.url,
      KEY: CI_KEY,
      READ_KEY,
      NO_KEY,
      MODEL,
      ALIAS,
      DENIED_MODEL,
    },
    timeout: RUN_MS,
  });
  seen = JSON.parse(stdout) as Record<string, unknown>;
  calls = await journey.calls();
});

afterAll(() => journey?.close());

function python(folder: string): string {
  return join(folder, 'bin', 'python');
}

test('[AUTH-01][API-01] a message, with either option of the SDK for a key', () => {
  expect(seen['message']).toEqual({ text: TEXT, model: MODEL, output_tokens: 9 });
  expect(seen['bearer']).toEqual(seen['message']);
});

test('[API-02] a stream comes in pieces that make the whole', () => {
  expect(seen['stream']).toEqual({ pieces: 4, text: TEXT, stop: 'end_turn' });
});

test('[XLAT-02] a round with a tool, with a beta nobody knows', () => {
  expect(seen['tool']).toEqual({ input: { city: 'Zürich', days: [1, 2] }, text: 'It rains.' });
  const betas = calls.map(({ atProvider }) => atProvider?.request.headers['anthropic-beta']);
  expect(betas).toContain('made-up-2031-01-01');
});

test('[API-03] tokens are counted by the provider', () => {
  expect(seen['count']).toBe(4321);
});

test('[API-04][AUTH-25] the models it may use, listed and one by one', () => {
  const { ids, one } = seen['models'] as { ids: string[]; one: string };
  expect(ids).toEqual(expect.arrayContaining([MODEL, ALIAS]));
  expect(ids).not.toContain(DENIED_MODEL);
  expect(one).toBe('Fast');
});

test('[XLAT-01] what was answered with 200 went through byte by byte, both ways', () => {
  const served = calls.filter(({ atProvider, audit }) => atProvider !== undefined && audit['outcome'] === 'complete');
  expect(served.length).toBeGreaterThanOrEqual(8);
  for (const { atClient, atProvider } of served) {
    expect(atProvider!.request.body.equals(atClient.request.body)).toBe(true);
    expect(atClient.response!.body.equals(atProvider!.response!.body)).toBe(true);
  }
});

describe('errors', () => {
  test.each<[string, string, string, number, RegExp]>([
    ['[ERR-02][AUTH-25] ', 'unauthenticated', 'AuthenticationError', 401, /not valid here/],
    ['', 'forbidden', 'PermissionDeniedError', 403, /lacks the scope write/],
    ['', 'denied', 'BadRequestError', 400, /is not allowed for you/],
    ['', 'invalid', 'BadRequestError', 400, /roles must alternate/],
    ['', 'limited', 'RateLimitError', 429, /slow down/],
  ])('%s%s is %s', (_rows, name, expected, status, message) => {
    const failure = seen[name] as Failure;
    expect(failure.is_a).toContain(expected);
    expect(failure.status).toBe(status);
    expect(failure.message).toMatch(message);
    const answers = calls.filter(({ atClient }) => atClient.response!.headers['x-request-id'] === failure.request_id);
    expect(answers).toHaveLength(1);
  });

  test('429 keeps the Retry-After of the provider, and is tried again after the time it names', () => {
    expect((seen['limited'] as Failure).retry_after).toBe('17');
    const { text, seconds } = seen['limited once'] as { text: string; seconds: number };
    expect(text).toBe('after the limit');
    expect(seconds).toBeGreaterThan(0.99);
  });

  test('529 is tried again until it passes', () => {
    expect(seen['overloaded twice']).toMatchObject({ text: 'Hello from the mock upstream.' });
    expect(calls.filter(({ audit }) => audit['status'] === 529)).toHaveLength(2);
  });
});

test('a stream that is left in the middle is left at the provider within a second', async () => {
  const left = journey.mock.requests.at(-1)!;
  expect(await left.ended).toBe('aborted');
  const { audit } = calls.at(-1)!;
  expect(audit).toMatchObject({ outcome: 'client_aborted', usage_estimated: true });
  expect(audit['response_time_ms']).toBeLessThan(1_000);
});
