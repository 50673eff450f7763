// Planted secrets, looked for everywhere anything is written: client bytes, audit lines, log lines at every level, the metrics page, and
// what one upstream hears of another. Upstreams here echo what they were sent, clients put their key where it does not belong.
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyHash } from '#shared/bundle/key-hash.ts';
import {
  basicResources,
  CI_KEY,
  importedKey,
  PROVIDER_KEY,
  startGateway,
  upstream,
  withObjects,
  type TestGateway,
} from '../harness/gateway.ts';
import { startMockAnthropic, type Behaviour, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { turn, turnHeaders } from './claude-code.ts';
import { headersWith, send, type Answer, type Ask } from './http-client.ts';

const PEPPER = 'pepper'.repeat(8);
const BEARER = 'bearer-secret-of-the-second-upstream-42';
const HEADER_SECRET = 'tenant-secret-in-a-header-4711';
const OTHER_KEY = 'sk-pc-other-0123456789abcdefghijklmnopqrstuvwxyzA';

const SECRETS: Readonly<Record<string, string>> = {
  'provider key': PROVIDER_KEY,
  'bearer token of an upstream': BEARER,
  'header value of an upstream': HEADER_SECRET,
  'client key': CI_KEY,
  'key of another client': OTHER_KEY,
  pepper: PEPPER,
  'hash of a key': keyHash(PEPPER, CI_KEY),
};

let mock: MockAnthropic;
let second: MockAnthropic;
let gateway: TestGateway;
const received: string[] = [];

beforeAll(async () => {
  mock = await startMockAnthropic();
  second = await startMockAnthropic();
  const base = basicResources(mock.url, {
    logging: { level: 'debug' },
    // One session for all of them: it would stay with the spare, which knows only its own secrets, after the first failure.
    routing: { exposeUpstream: true, stickyBy: 'None' },
    metrics: { principalLabel: 'Name' },
  });
  gateway = await startGateway(
    withObjects(
      base,
      [
        upstream('anthropic', mock.url, {
          priority: 1,
          headers: [{ name: 'x-tenant', valueFrom: { name: 'anthropic', key: 'tenant' } }],
          breaker: { consecutiveFailures: 1000 },
        }),
        upstream('spare', second.url, {
          priority: 2,
          anthropic: { auth: { type: 'BearerToken', bearerToken: { name: 'anthropic', key: 'bearer' } } },
        }),
        importedKey('other'),
      ],
      { 'default/anthropic': { tenant: HEADER_SECRET, bearer: BEARER }, 'default/keys': { other: OTHER_KEY } },
    ),
  );
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([mock.close(), second.close()]);
});

async function ask(what: Ask): Promise<Answer> {
  const answer = await send(gateway.url, what);
  received.push(JSON.stringify(answer.headers), answer.body.toString('latin1'));
  await gateway.record(({ request_id }) => request_id === answer.headers['x-request-id']);
  return answer;
}

async function expectNoSecret(): Promise<void> {
  const places = {
    'what clients received': received.join('\n'),
    'audit or log': gateway.written.join('\n'),
    metrics: await (await fetch(gateway.metricsUrl)).text(),
  };
  const found = Object.entries(SECRETS).flatMap(([name, secret]) =>
    Object.entries(places)
      .filter(([, text]) => text.includes(secret))
      .map(([place]) => `${name} in ${place}`),
  );
  expect(found).toEqual([]);
}

const json = { 'content-type': 'application/json' };
const echo = `you sent x-api-key ${PROVIDER_KEY} and x-tenant ${HEADER_SECRET} and Bearer ${BEARER}`;
const envelope = JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message: echo } });

describe('an upstream that echoes', () => {
  test('the planted secrets do reach the upstreams they belong to', async () => {
    mock.behave(() => ({ kind: 'status', status: 500 }));
    second.behave(() => ({ kind: 'text' }));
    expect((await ask({ body: turn() })).status).toBe(200);
    expect(mock.requests.at(-1)!.headers).toMatchObject({ 'x-api-key': PROVIDER_KEY, 'x-tenant': HEADER_SECRET });
    expect(second.requests.at(-1)!.headers.authorization).toBe(`Bearer ${BEARER}`);
    const [first, other] = [mock, second].map((each) => JSON.stringify(each.requests.at(-1)!.rawHeaders));
    expect(first).not.toContain(BEARER);
    expect(other).not.toContain(PROVIDER_KEY);
    expect(other).not.toContain(HEADER_SECRET);
    for (const heard of [first, other]) expect(heard).not.toContain(CI_KEY);
  });

  test.each<[string, Behaviour]>([
    ...[400, 401, 403, 404, 413, 422, 429, 500, 501, 529].map<[string, Behaviour]>((status) => [
      `status ${status} in an envelope`,
      { kind: 'status', status, message: echo },
    ]),
    [
      'a page of HTML',
      { kind: 'status', status: 400, body: `<html>${echo}</html>`, headers: { 'content-type': 'text/html' } },
    ],
    ['JSON of another shape', { kind: 'status', status: 422, body: JSON.stringify({ detail: echo }) }],
    [
      'a compressed envelope',
      { kind: 'raw', status: 400, headers: { ...json, 'content-encoding': 'gzip' }, chunks: [gzipSync(envelope)] },
    ],
    ['a redirect', { kind: 'redirect', location: `https://elsewhere.example/?key=${PROVIDER_KEY}` }],
    ['Retry-After', { kind: 'status', status: 429, headers: { 'retry-after': PROVIDER_KEY } }],
    ['every header of a refusal', { kind: 'status', status: 400, headers: headersThatEcho() }],
    ['every header of a plain answer', { kind: 'text', headers: { ...headersThatEcho(), ...json } }],
    ['the type of a plain answer', { kind: 'text', headers: headersThatEcho() }],
    ['a status text', { kind: 'status', status: 418, body: echo }],
  ])('[SEC-21] %s', async (_name, behaviour) => {
    for (const each of [mock, second]) each.behave(() => behaviour);
    await ask({ body: turn({ stream: false }) });
    await ask({ body: turn() });
    await ask({ path: '/v1/messages/count_tokens', body: turn() });
    await expectNoSecret();
  });

  function headersThatEcho(): Record<string, string> {
    return Object.fromEntries(
      [
        'content-type',
        'cache-control',
        'retry-after',
        'request-id',
        'x-amzn-requestid',
        'set-cookie',
        'server',
        'x-echo',
      ].map((name) => [name, PROVIDER_KEY]),
    );
  }
});

describe('a client that puts its key where it does not belong', () => {
  beforeAll(() => {
    for (const each of [mock, second]) each.behave(() => ({ kind: 'text' }));
  });

  test.each<[string, Ask]>([
    ['the model', { body: turn({ model: CI_KEY }) }],
    ['a path', { path: `/v1/${CI_KEY}`, body: turn() }],
    ['a path that is not offered', { path: `/v1/files/${CI_KEY}`, body: turn() }],
    ['the id of a model', { method: 'GET', path: `/v1/models/${CI_KEY}` }],
    ['the query', { path: `/v1/messages?beta=true&key=${CI_KEY}`, body: turn() }],
    ['its call id', { headers: headersWith({ 'x-client-request-id': CI_KEY }), body: turn() }],
    [
      'its session and agents',
      {
        headers: headersWith({
          'x-claude-code-session-id': CI_KEY,
          'x-claude-code-agent-id': `a ${CI_KEY}`,
          'x-claude-code-parent-agent-id': CI_KEY,
        }),
        body: turn(),
      },
    ],
    [
      'other headers',
      {
        headers: headersWith({
          'user-agent': CI_KEY,
          'anthropic-beta': CI_KEY,
          'x-api-key': CI_KEY,
          cookie: `k=${CI_KEY}`,
        }),
        body: turn(),
      },
    ],
    ['the keys of its body', { body: `{"model":"claude-sonnet-4-6","${CI_KEY}":1` }],
  ])('[SEC-21] %s: neither written down nor sent back', async (_name, what) => {
    const before = mock.requests.length;
    await ask(what);
    const heard = mock.requests.slice(before).map(({ url, rawHeaders }) => `${url} ${rawHeaders.join(' ')}`);
    expect(heard.join('\n')).not.toContain(CI_KEY);
    await expectNoSecret();
  });

  test('[SEC-21] a key that is not valid here is not repeated either', async () => {
    const foreign = 'sk-ant-api03-a-key-of-another-service-0001';
    await ask({ headers: turnHeaders(foreign), path: `/v1/${foreign}`, body: turn({ model: foreign }) });
    const everything = [...received, ...gateway.written].join('\n');
    expect(everything).not.toContain(foreign);
  });
});

test('[SEC-21] an upstream that cannot be reached tells nobody its credential', async () => {
  await Promise.all([mock.close(), second.close()]);
  expect((await ask({ body: turn() })).status).toBe(502);
  await expectNoSecret();
});
