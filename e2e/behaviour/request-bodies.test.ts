// Request bodies under their limits: refused before a byte is read where that can be known, and never kept waiting for.
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { basicResources, CI_KEY, startGateway, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { allPlacesFree, call, callerHeaders, errorOf, messageBody, type ErrorBody } from './routing.ts';
import { openSocket, speak, wireRequest, type WireAnswer } from './wire-client.ts';

let mock: MockAnthropic;
let gateway: TestGateway;
let before = 0;

beforeAll(async () => {
  mock = await startMockAnthropic();
  gateway = await startGateway(
    basicResources(mock.url, { listen: { limits: { maxBodyBytes: '64Ki' }, timeouts: { body: '200ms' } } }),
  );
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

beforeEach(() => {
  before = mock.received();
});

const AUTH = `Authorization: Bearer ${CI_KEY}`;
const BODY = JSON.stringify(messageBody());

const envelopeOf = ({ body }: WireAnswer): ErrorBody => JSON.parse(body.toString()) as ErrorBody;
const post = (lines: readonly string[], body = ''): string =>
  ['POST /v1/messages HTTP/1.1', 'Host: gateway', ...lines, '', body].join('\r\n');

describe('before reading', () => {
  test.each([
    ['a declared length over the limit', [AUTH, 'Content-Length: 65537'], 413, 'request_too_large'],
    ['a declared length of 2^53', [AUTH, 'Content-Length: 9007199254740992'], 413, 'request_too_large'],
    ['no length', [AUTH], 411, 'invalid_request_error'],
    ['no credential', ['Content-Length: 60000'], 401, 'authentication_error'],
    ['an unknown coding', [AUTH, 'Content-Length: 60000', 'Content-Encoding: lzma'], 415, 'invalid_request_error'],
    ['two codings', [AUTH, 'Content-Length: 60000', 'Content-Encoding: gzip, br'], 415, 'invalid_request_error'],
  ])('[API-10] [ERR-05] %s: answered at once, in JSON, and closed', async (_name, lines, status, type) => {
    const started = performance.now();
    const { answers, closed } = await speak(gateway.url, post(lines), { answers: Number.POSITIVE_INFINITY });
    expect(answers.map((answer) => answer.status)).toEqual([status]);
    expect(envelopeOf(answers[0]!).error.type).toBe(type);
    expect(closed).toBe(true);
    expect(answers[0]!.head.toLowerCase()).toContain('connection: close');
    expect(performance.now() - started).toBeLessThan(2_500);
    expect(mock.received()).toBe(before);
  });

  test.each([
    ['a body over the limit', [AUTH, 'Content-Length: 65537'], 413],
    ['no credential', ['Content-Length: 10'], 401],
  ])(
    '[API-10] [ERR-05] a client that asks first (Expect: 100-continue) is not told to go on: %s',
    async (_n, lines, code) => {
      const socket = openSocket(gateway.url);
      let text = '';
      const ended = new Promise<void>((resolve) => {
        socket.on('data', (chunk: Buffer) => (text += chunk.toString())).once('end', () => resolve());
      });
      socket.write(post([...lines, 'Expect: 100-continue']));
      await ended;
      socket.destroy();
      expect(text).toMatch(new RegExp(`^HTTP/1.1 ${code} `));
      expect(text).not.toContain('100 Continue');
    },
  );

  test('[API-10] a client that asks first and may go on is told so, and served', async () => {
    const socket = openSocket(gateway.url);
    let text = '';
    const served = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write(BODY);
        if (text.includes('HTTP/1.1 200')) resolve();
      });
    });
    socket.write(post([AUTH, `Content-Length: ${BODY.length}`, 'Expect: 100-continue']));
    await served;
    socket.destroy();
    expect(mock.requests.at(-1)!.body.toString()).toBe(BODY);
  });

  test('[ERR-05] a client that sends everything before it reads gets its 413, not a reset', async () => {
    const text = 'x'.repeat(3_000_000);
    const answer = await call(gateway, { messages: [{ role: 'user', content: text }] });
    expect([answer.status, answer.complete]).toEqual([413, true]);
    expect(errorOf(answer).error.type).toBe('request_too_large');
    expect(mock.received()).toBe(before);
  });
});

describe('while reading', () => {
  test('[API-10] [ERR-05] chunks that add up beyond the limit: 413', async () => {
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const { answers } = await speak(gateway.url, post([AUTH, 'Transfer-Encoding: chunked'], chunk.repeat(5)));
    expect(answers.map(({ status }) => status)).toEqual([413]);
  });

  test('[API-10] compressed bodies are counted as they unfold: 413 for a bomb, 200 for a small one', async () => {
    const send = (text: string) =>
      call(gateway, {}, { headers: callerHeaders({ 'Content-Encoding': 'gzip' }), body: gzipSync(text) });
    expect((await send(JSON.stringify(messageBody({ x: 'a'.repeat(50_000_000) })))).status).toBe(413);
    expect((await send(BODY)).status).toBe(200);
    expect(mock.requests.at(-1)!.body.toString()).toBe(BODY);
    expect(mock.requests.at(-1)!.headers['content-encoding']).toBeUndefined();
  });

  test('[ERR-05] damaged compression is the caller’s mistake: 400', async () => {
    const answer = await call(gateway, {}, { headers: callerHeaders({ 'Content-Encoding': 'gzip' }), body: 'plain' });
    expect([answer.status, errorOf(answer).error.message]).toEqual([400, 'the body is not valid gzip']);
  });

  test.each([
    ['stops in the middle', [post([AUTH, 'Content-Length: 100'], '{"model"')]],
    ['never starts', [post([AUTH, 'Content-Length: 100'])]],
    ['drips', Array.from({ length: 40 }, (_, i) => (i === 0 ? post([AUTH, 'Content-Length: 100'], '{') : ' '))],
  ])('[ERR-05] a body that %s is a 408 after the limit, however it drips', async (_name, pieces) => {
    const socket = openSocket(gateway.url);
    let text = '';
    const ended = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => (text += chunk.toString())).once('end', () => resolve());
      socket.once('close', () => resolve());
    });
    const started = performance.now();
    let next = 0;
    const dripping = setInterval(() => {
      if (next < pieces.length && socket.writable) socket.write(pieces[next++]!);
    }, 20);
    await ended;
    clearInterval(dripping);
    socket.destroy();
    expect(text).toMatch(/^HTTP\/1.1 408 /);
    expect(text).toContain('timeout_error');
    expect(performance.now() - started).toBeLessThan(2_500);
    await allPlacesFree(gateway);
  });

  test('[ROUTE-23] a client that leaves during its upload leaves nothing behind', async () => {
    const socket = openSocket(gateway.url);
    socket.write(post([AUTH, 'Content-Length: 100', 'x-client-request-id: left-early'], '{"model"'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    const record = await gateway.record((each) => each['request_id'] === 'left-early');
    expect(record).toMatchObject({ status: 499, outcome: 'client_aborted' });
    expect(mock.received()).toBe(before);
    await allPlacesFree(gateway);
  });
});

test('[API-10] the limits follow the configuration; 0 bytes is a length', async () => {
  const { answers } = await speak(gateway.url, wireRequest('POST', '/v1/messages', [AUTH], ''));
  expect([answers[0]!.status, envelopeOf(answers[0]!).error.type]).toEqual([400, 'invalid_request_error']);
  const body = JSON.stringify(messageBody({ messages: [{ role: 'user', content: 'x'.repeat(70_000) }] }));
  const own = await startGateway(basicResources(mock.url, { listen: { limits: { maxUrlBytes: '256' } } }));
  expect((await call(own, {}, { body })).status).toBe(200);
  const long = await call(own, {}, { path: `/v1/messages?x=${'y'.repeat(256)}` });
  expect([long.status, errorOf(long).error.type]).toEqual([414, 'invalid_request_error']);
  own.reload(basicResources(mock.url, { listen: { limits: { maxBodyBytes: '1Ki', maxUrlBytes: '1Ki' } } }));
  expect((await call(own, {}, { body })).status).toBe(413);
  expect((await call(own, {}, { path: `/v1/messages?x=${'y'.repeat(256)}` })).status).toBe(200);
  await own.close();
});
