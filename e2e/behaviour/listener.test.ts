// Limits of the listener, and what other servers answer with an empty page: here every answer is the envelope in JSON.
import { beforeEach, describe, expect, test } from 'vitest';
import { basicResources, CI_KEY } from '../harness/gateway.ts';
import { openSocket, speak, wireRequest, type WireAnswer } from './wire-client.ts';
import { startScene } from './scene.ts';

let received = 0;

const AUTH = `Authorization: Bearer ${CI_KEY}`;
const BODY = '{"model":"claude-haiku-5-5","max_tokens":1,"messages":[]}';
const LIMITS = { maxBodyBytes: '4Ki', maxHeaderBytes: '8Ki', maxUrlBytes: '1Ki' };

const { mock, gateway } = await startScene((url) =>
  basicResources(url, { listen: { limits: LIMITS, timeouts: { body: '300ms' } } }),
);

beforeEach(() => {
  received = mock.received();
});

const post = (lines: readonly string[], rest: string): string =>
  ['POST /v1/messages HTTP/1.1', 'Host: gateway', AUTH, ...lines, '', rest].join('\r\n');

function expectEnvelope({ head, body }: WireAnswer, type: string): void {
  const lower = head.toLowerCase();
  expect(lower).toContain('content-type: application/json');
  const parsed = JSON.parse(body.toString()) as { type: string; request_id: string; error: Record<string, string> };
  expect(parsed.type).toBe('error');
  expect(lower).toContain(`x-request-id: ${parsed.request_id}`);
  expect(parsed.error['type']).toBe(type);
}

/** Both ends of every connection, since client and gateway share this thread. */
const openSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

// First, while no other connection comes and goes.
test('[SEC-20] a broken request whose client never closes its side does not hold a connection', async () => {
  const before = openSockets();
  const clients = Array.from({ length: 20 }, () => openSocket(gateway.url));
  const ended = clients.map((socket) => new Promise<void>((resolve) => socket.once('end', () => resolve())));
  for (const socket of clients) socket.resume().write('rubbish\r\n\r\n');
  await Promise.all(ended);
  expect(openSockets()).toBe(before + 2 * clients.length);
  await expect.poll(openSockets, { timeout: 5_000, interval: 50 }).toBe(before + clients.length);
  for (const client of clients) client.destroy();
});

describe('[SEC-20] [API-17] limits', () => {
  test.each<[string, Buffer | string, number, string]>([
    [
      'a header of 1 MB',
      wireRequest('GET', '/v1/models', [AUTH, `X-A: ${'a'.repeat(1 << 20)}`]),
      431,
      'invalid_request_error',
    ],
    [
      'headers beyond the limit together',
      wireRequest(
        'GET',
        '/healthz',
        Array.from({ length: 400 }, (_, i) => `X-${i}: ${'a'.repeat(20)}`),
      ),
      431,
      'invalid_request_error',
    ],
    [
      'a request line beyond the header limit',
      wireRequest('GET', `/${'a'.repeat(20_000)}`),
      431,
      'invalid_request_error',
    ],
    [
      'a URL beyond its limit',
      wireRequest('GET', `/v1/models?${'a'.repeat(1_024)}`, [AUTH]),
      414,
      'invalid_request_error',
    ],
    ['a declared body beyond the limit', post(['Content-Length: 4097'], ''), 413, 'request_too_large'],
    [
      'a chunked body that grows beyond the limit',
      post(['Transfer-Encoding: chunked'], `2000\r\n${'a'.repeat(8192)}\r\n`),
      413,
      'request_too_large',
    ],
    ['no length at all', post([], ''), 411, 'invalid_request_error'],
    ['a body that stops coming', post(['Content-Length: 100'], '{"model":'), 408, 'timeout_error'],
    ['a chunk that stops coming', post(['Transfer-Encoding: chunked'], '10\r\nabc'), 408, 'timeout_error'],
  ])('%s', async (_name, bytes, status, type) => {
    const { answers } = await speak(gateway.url, bytes);
    expect(answers.map((answer) => answer.status)).toEqual([status]);
    expectEnvelope(answers[0]!, type);
    expect(mock.received()).toBe(received);
  });

  test('a body of exactly the limit passes', async () => {
    const body = BODY.replace('[]', `[],"x":"${'a'.repeat(4096 - BODY.length - 7)}"`);
    expect(body).toHaveLength(4096);
    const { answers } = await speak(gateway.url, wireRequest('POST', '/v1/messages', [AUTH], body));
    expect(answers[0]?.status).toBe(200);
  });
});

describe('what other servers answer with an empty page', () => {
  test('[API-17] no Host header', async () => {
    const { answers } = await speak(gateway.url, `GET /v1/models HTTP/1.1\r\n${AUTH}\r\n\r\n`);
    expect(answers.map(({ status }) => status)).toEqual([400]);
    expectEnvelope(answers[0]!, 'invalid_request_error');
  });

  test('no Host header in HTTP/1.0, which had none', async () => {
    const { answers } = await speak(gateway.url, `GET /v1/models HTTP/1.0\r\n${AUTH}\r\n\r\n`);
    expect(answers[0]?.status).toBe(200);
  });

  test('an expectation nobody knows is passed over', async () => {
    const { answers } = await speak(gateway.url, wireRequest('POST', '/v1/messages', [AUTH, 'Expect: miracles'], BODY));
    expect(answers[0]?.status).toBe(200);
  });

  test('100-continue is answered before the body comes', async () => {
    const socket = openSocket(gateway.url);
    let text = '';
    const answered = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write(BODY);
        if (text.includes('HTTP/1.1 200')) resolve();
      });
    });
    socket.write(post(['Expect: 100-continue', `Content-Length: ${BODY.length}`], ''));
    await answered;
    socket.destroy();
  });
});

test('[SEC-20] rubbish behind an answer that is under way does not become part of it', async () => {
  mock.behave(() => ({ kind: 'events', count: 20, gapMs: 20 }));
  try {
    const socket = openSocket(gateway.url);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      if (text === '') socket.write('\0rubbish\r\n\r\n');
      text += chunk.toString();
    });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.once('end', () => socket.destroy());
    socket.write(wireRequest('POST', '/v1/messages', [AUTH], BODY.replace('{', '{"stream":true,')));
    await closed;
    expect(text).toContain('message_start');
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(text).not.toContain('not valid HTTP');
  } finally {
    mock.behave(() => ({ kind: 'text' }));
  }
});
