// Whatever comes in: no crash, no failure of our own making, no memory that stays, JSON for every refusal, and the next caller is served.
// FUZZ_SCALE multiplies the number of generated cases.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { basicResources, CI_KEY, startGateway, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { openSocket, speak, wireRequest, type WireAnswer } from './wire-client.ts';

const SCALE = Number(process.env['FUZZ_SCALE'] ?? 1);
const MIB = 1024 * 1024;
const AUTH = `Authorization: Bearer ${CI_KEY}`;
const BODY = '{"model":"claude-haiku-5-5","max_tokens":1,"messages":[]}';

let mock: MockAnthropic;
let gateway: TestGateway;

beforeAll(async () => {
  mock = await startMockAnthropic({
    retain: 0,
    behave: () => ({
      kind: 'raw',
      status: 200,
      headers: { 'content-type': 'application/json', 'content-length': '2' },
      chunks: ['{}'],
    }),
  });
  const listen = { limits: { maxBodyBytes: '2Mi' }, timeouts: { body: '500ms' } };
  gateway = await startGateway(basicResources(mock.url, { listen, logging: { level: 'error' } }));
});

afterEach(async () => {
  const { answers } = await speak(gateway.url, wireRequest('POST', '/v1/messages', [AUTH], BODY));
  expect(answers[0]?.status, 'the next caller').toBe(200);
  expect(gateway.written.filter((line) => line.includes('failed unexpectedly'))).toEqual([]);
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

/** Why an answer is not what a refusal or a success must be; undefined when it is. 501 says that a path is not offered. */
function harm({ status, head, body }: WireAnswer): string | undefined {
  if (status >= 500 && status !== 501) return `a failure of our own: ${head}`;
  if (status < 400) return undefined;
  if (!/^content-type: application\/json$/im.test(head)) return `not JSON: ${head}`;
  const { type, request_id: id, error } = JSON.parse(body.toString()) as Record<string, unknown>;
  const { type: kind, message } = error as Record<string, unknown>;
  const whole = type === 'error' && [id, kind, message].every((part) => typeof part === 'string' && part !== '');
  return whole ? undefined : `not the envelope: ${body.toString()}`;
}

/** What llhttp lets through in a header value: no controls but the tab. */
const printable = (text: string): string =>
  Array.from(text, (char) => (char >= ' ' && char !== '\x7f' ? char : '\t')).join('');

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/);
const value = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 60 }).map(printable),
  fc
    .uint8Array({ maxLength: 40 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte < 32 || byte === 127 ? 160 : byte))).toString('latin1')),
  fc.constantFrom(
    '__proto__',
    '',
    ' ',
    '0',
    '-1',
    '1e309',
    'NaN',
    'null',
    '{}',
    '%00',
    '${x}',
    'a,b,,',
    '"',
    '\\',
    'ÿþ',
  ),
);
const KNOWN = [
  'Accept', 'Accept-Encoding', 'anthropic-beta', 'anthropic-version', 'Connection', 'Content-Encoding', 'Content-Type', 'Cookie', 'Expect',
  'Forwarded', 'If-None-Match', 'Origin', 'Proxy-Authorization', 'Range', 'TE', 'Trailer', 'Upgrade', 'X-Forwarded-For', 'X-HTTP-Method-Override',
  'x-api-key', 'x-client-request-id', 'x-claude-code-session-id', 'x-should-retry', '__proto__', 'constructor', 'hasOwnProperty',
]; // prettier-ignore
const header = fc
  .tuple(fc.oneof(token, fc.constantFrom(...KNOWN)), value)
  .filter(([name]) => !/^(content-length|transfer-encoding|host|authorization)$/i.test(name))
  .map(([name, text]) => `${name}: ${text}`);
const segment = fc.oneof(
  fc.constantFrom(
    'v1',
    'messages',
    'models',
    'count_tokens',
    'health',
    '..',
    '.',
    '',
    '%2e%2e',
    '%00',
    '%',
    '%zz',
    '%ff',
    '__proto__',
    '*',
    ':id',
    'healthz',
    'batches',
    ';x',
    '\\',
  ),
  fc.stringMatching(/^[!-~]{0,12}$/).map((text) => text.replace(/[?#\s]/g, '')),
);
const target = fc
  .tuple(fc.array(segment, { maxLength: 5 }), fc.option(fc.stringMatching(/^[!-~]{0,30}$/)))
  .map(([segments, query]) => `/${segments.join('/')}${query === null ? '' : `?${query.replace(/#/g, '')}`}`);
const method = fc.constantFrom(
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
);

describe('[SEC-20] generated', () => {
  test('headers, paths and methods', async () => {
    await fc.assert(
      fc.asyncProperty(
        method,
        target,
        fc.array(header, { maxLength: 8 }),
        fc.boolean(),
        async (verb, path, lines, known) => {
          const bytes = wireRequest(
            verb,
            path,
            known ? [AUTH, ...lines] : lines,
            verb === 'GET' || verb === 'HEAD' ? undefined : BODY,
          );
          // HEAD is answered with a length and no body: nothing to wait for but the end of patience.
          const isHead = verb === 'HEAD';
          const { answers, rest } = await speak(gateway.url, bytes, isHead ? { patienceMs: 20 } : {});
          const faults = isHead ? [] : answers.map(harm);
          expect(faults).toEqual(isHead ? [] : [undefined]);
          expect(rest.toString('latin1')).toMatch(/^(HTTP\/1\.1 ([1-4]|501)|$)/);
        },
      ),
      { numRuns: 200 * SCALE },
    );
  });

  test('bodies of any bytes', async () => {
    const pieces = fc
      .array(
        fc.oneof(
          fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
          fc
            .constantFrom(
              '{',
              '}',
              '[',
              ']',
              ',',
              ':',
              '"',
              '\\',
              '\\u',
              '\\ud800',
              'null',
              'true',
              '1e999',
              '-',
              '0x',
              '"model"',
              '"claude-haiku-5-5"',
              '"stream"',
              '\0',
              '\ufeff',
              '\xff',
            )
            .map((text) => Buffer.from(text)),
        ),
        { maxLength: 20 },
      )
      .map((parts) => Buffer.concat(parts));
    const objects = fc
      .tuple(
        fc.dictionary(
          fc.oneof(
            fc.constantFrom('model', 'stream', 'max_tokens', 'messages', '__proto__', 'constructor', 'toString', ''),
            fc.string(),
          ),
          fc.jsonValue(),
        ),
        fc.boolean(),
      )
      .map(([fields, named]) => Buffer.from(JSON.stringify(named ? { model: 'claude-haiku-5-5', ...fields } : fields)));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(pieces, objects),
        fc.constantFrom('/v1/messages', '/v1/messages/count_tokens'),
        async (body, path) => {
          const { answers } = await speak(gateway.url, wireRequest('POST', path, [AUTH], body));
          expect(answers).toHaveLength(1);
          expect([200, 400, 403, 411]).toContain(answers[0]!.status);
          expect(harm(answers[0]!)).toBeUndefined();
        },
      ),
      { numRuns: 200 * SCALE },
    );
  });

  test('requests with bytes changed, lost and added', async () => {
    const whole = wireRequest(
      'POST',
      '/v1/messages?beta=true',
      [AUTH, 'Transfer-Encoding: chunked', 'X-A: b'].slice(0, 1),
      BODY,
    );
    const chunked = Buffer.from(
      `POST /v1/messages HTTP/1.1\r\nHost: x\r\n${AUTH}\r\nTransfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
    );
    const change = fc.record({ at: fc.nat(), drop: fc.nat(4), add: fc.uint8Array({ maxLength: 4 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(whole, chunked),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        async (original, changes) => {
          let bytes = original;
          for (const { at, drop, add } of changes) {
            const from = at % (bytes.length + 1);
            bytes = Buffer.concat([bytes.subarray(0, from), add, bytes.subarray(from + drop)]);
          }
          const { answers, rest } = await speak(gateway.url, bytes, { end: true });
          expect(rest.toString('latin1')).toMatch(/^(HTTP\/1\.1 |$)/);
          for (const answer of answers) expect(harm(answer)).toBeUndefined();
        },
      ),
      { numRuns: 200 * SCALE },
    );
  });
});

describe('[SEC-20] bodies made to hurt', () => {
  const valid = (member: string): string => BODY.replace('[]', `[],${member}`);
  test.each<[string, string | Buffer, number]>([
    ['100,000 levels of lists', valid(`"x":${'['.repeat(1e5)}${']'.repeat(1e5)}`), 200],
    ['100,000 levels, never closed', valid(`"x":${'['.repeat(1e5)}`), 400],
    ['100,000 levels of objects', valid(`"x":${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}`), 200],
    ['a number of 100,000 digits', valid(`"x":${'9'.repeat(1e5)}`), 200],
    ['an exponent beyond everything', valid('"x":1e999999999'), 200],
    ['max_tokens beyond everything', BODY.replace('"max_tokens":1', '"max_tokens":1e400'), 200],
    ['100,000 members', valid(Array.from({ length: 1e5 }, (_, i) => `"k${i}":0`).join(',')), 200],
    ['50,000 times __proto__', valid(Array.from({ length: 5e4 }, () => '"__proto__":{"stream":true}').join(',')), 200],
    ['model twice', valid('"model":"claude-opus-5-5"'), 400],
    ['model twice, escaped', valid(String.raw`"mod\u0065l":"claude-opus-5-5"`), 400],
    ['a model of 1 MB', BODY.replace('claude-haiku-5-5', 'a'.repeat(MIB)), 400],
    ['a model with NUL', BODY.replace('claude-haiku-5-5', String.raw`claude-haiku-5-5\u0000`), 400],
    ['a model that is __proto__', BODY.replace('claude-haiku-5-5', '__proto__'), 400],
    ['a model that is constructor', BODY.replace('claude-haiku-5-5', 'constructor'), 400],
    ['a model that is a list', BODY.replace('"claude-haiku-5-5"', '["claude-haiku-5-5"]'), 400],
    ['invalid UTF-8 in the model', Buffer.from(BODY.replace('haiku', '\xff\xfe'), 'latin1'), 400],
    ['UTF-16', Buffer.from(BODY, 'utf16le'), 400],
    ['half a surrogate pair', BODY.replace('claude-haiku-5-5', String.raw`\ud800`), 400],
    ['a million blanks', `${' '.repeat(MIB)}${BODY}`, 200],
    ['an unterminated string of 1 MB', `{"model":"${'a'.repeat(MIB)}`, 400],
    ['backslashes to the end', `{"model":"${'\\'.repeat(MIB)}`, 400],
    ['NULs', Buffer.alloc(MIB), 400],
    ['a list', '[1]', 400],
    ['null', 'null', 400],
    ['nothing but a blank', ' ', 400],
  ])('%s', async (_name, body, status) => {
    const started = performance.now();
    const { answers } = await speak(gateway.url, wireRequest('POST', '/v1/messages', [AUTH], body));
    expect(answers[0]?.status).toBe(status);
    expect(harm(answers[0]!)).toBeUndefined();
    // Linear work: a quadratic scan of 1 MB would take minutes.
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  const bomb = Buffer.alloc(64 * MIB, 32);
  test.each<[string, Buffer, number]>([
    ['gzip', gzipSync(bomb), 413],
    ['deflate', deflateSync(bomb), 413],
    ['br', brotliCompressSync(bomb), 413],
    ['zstd', zstdCompressSync(bomb), 413],
    ['gzip', gzipSync(gzipSync(bomb)), 400],
    ['gzip', gzipSync(Buffer.from(BODY)).subarray(0, 30), 400],
    ['br', Buffer.from(BODY), 400],
    ['gzip', Buffer.alloc(0), 411],
    ['gzip, gzip', gzipSync(Buffer.from(BODY)), 415],
    ['__proto__', Buffer.from(BODY), 415],
    ['constructor', Buffer.from(BODY), 415],
  ])('Content-Encoding %s that is a bomb, a torso or nothing (%#)', async (encoding, body, status) => {
    const lines = [AUTH, `Content-Encoding: ${encoding}`];
    const bytes =
      body.length === 0 ? wireRequest('POST', '/v1/messages', lines) : wireRequest('POST', '/v1/messages', lines, body);
    const { answers } = await speak(gateway.url, bytes);
    expect(answers[0]?.status).toBe(status);
    expect(harm(answers[0]!)).toBeUndefined();
  });
});

describe('[SEC-20] many and slow', () => {
  test('clients that never finish a request keep nobody waiting, and stalled bodies are given up', async () => {
    const before = gateway.audit.length;
    const headers = Array.from({ length: 150 }, () => openSocket(gateway.url));
    for (const socket of headers) socket.write('POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    const bodies = Array.from({ length: 150 }, () => openSocket(gateway.url));
    const answered = bodies.map(
      (socket) => new Promise<string>((resolve) => socket.once('data', (chunk: Buffer) => resolve(chunk.toString()))),
    );
    for (const socket of bodies)
      socket.write(`POST /v1/messages HTTP/1.1\r\nHost: x\r\n${AUTH}\r\nContent-Length: 50\r\n\r\n{`);
    const started = performance.now();
    const { answers } = await speak(gateway.url, wireRequest('POST', '/v1/messages', [AUTH], BODY));
    expect(answers[0]?.status).toBe(200);
    expect(performance.now() - started).toBeLessThan(1_000);
    for (const text of await Promise.all(answered)) expect(text).toMatch(/^HTTP\/1\.1 408 /);
    for (const socket of [...headers, ...bodies]) socket.destroy();
    // One record for each that became a call, none for the others.
    await expect.poll(() => gateway.audit.length).toBe(before + 151);
  });

  test('a thousand connections that say nothing', async () => {
    const idle = Array.from({ length: 1_000 }, () => openSocket(gateway.url));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const { answers } = await speak(gateway.url, wireRequest('POST', '/v1/messages', [AUTH], BODY));
    expect(answers[0]?.status).toBe(200);
    for (const socket of idle) socket.destroy();
  });
});

test('[SEC-20] memory does not grow with hostile requests', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const bomb = gzipSync(Buffer.alloc(16 * MIB, 32));
  const requests = [
    wireRequest('POST', '/v1/messages', [AUTH, 'Content-Encoding: gzip'], bomb),
    wireRequest('GET', '/v1/models', [AUTH, `X-A: ${'a'.repeat(MIB)}`]),
    wireRequest('POST', '/v1/messages', [AUTH], BODY.replace('claude', 'x'.repeat(MIB))),
    Buffer.concat([Buffer.from('rubbish '), Buffer.alloc(MIB, 65)]),
    wireRequest('POST', '/v1/messages', [], Buffer.alloc(MIB)),
  ];
  let serial = 0;
  const round = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await Promise.all(requests.map((bytes) => speak(gateway.url, bytes)));
    // Names that differ every time must not be remembered for ever, neither as models nor as labels of metrics.
    for (let i = 0; i < 50; i++) {
      const model = `m${serial++}-${'y'.repeat(10_000)}`;
      await speak(gateway.url, wireRequest('POST', '/v1/messages', [AUTH], BODY.replace('claude-haiku-5-5', model)));
      await speak(gateway.url, wireRequest('GET', `/${model}`.slice(0, 5_000), [AUTH]));
    }
  };
  const inUse = (): number => {
    gateway.audit.length = 0;
    gateway.written.length = 0;
    collect();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return (heapUsed + external + arrayBuffers) / MIB;
  };
  await round();
  const before = inUse();
  for (let i = 0; i < 2 * SCALE; i++) await round();
  // What the last connections held may go a moment later; what is remembered for ever does not.
  await expect.poll(() => inUse() - before, { timeout: 10_000, interval: 500 }).toBeLessThan(25);
});
