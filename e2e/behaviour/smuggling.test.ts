// Requests whose end two readers could see in different places, over raw sockets. Whatever stands behind such a request must not be taken
// for the next one: refused in JSON, connection closed, no upstream asked.
import { beforeEach, describe, expect, test } from 'vitest';
import { CI_KEY } from '../harness/gateway.ts';
import { messageBody, type ErrorBody } from './routing.ts';
import { speak } from './wire-client.ts';
import { startScene } from './scene.ts';

let before = 0;

const { mock, gateway } = await startScene();

beforeEach(() => {
  before = mock.received();
});

const BODY = JSON.stringify(messageBody());
const AUTH = `Host: x\r\nAuthorization: Bearer ${CI_KEY}\r\n`;
const HEAD = `POST /v1/messages HTTP/1.1\r\n${AUTH}`;
/** A whole, valid request: what an attacker would hide behind another's. */
const HIDDEN = `${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}`;
/** Every byte as written in this file, also those beyond ASCII. */
const wire = (text: string): Buffer => Buffer.from(text, 'latin1');
const UNTIL_CLOSED = { answers: Number.POSITIVE_INFINITY };
const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

const AMBIGUOUS: readonly (readonly [name: string, request: string])[] = [
  ['length and chunks, length first', `${HEAD}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['length and chunks, chunks first', `${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n`],
  ['a length of nothing and chunks', `${HEAD}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(BODY)}`],
  ['two lengths', `${HEAD}Content-Length: ${BODY.length}\r\nContent-Length: 0\r\n\r\n${BODY}`],
  ['the same length twice', `${HEAD}Content-Length: ${BODY.length}\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`],
  ['a list of lengths', `${HEAD}Content-Length: ${BODY.length}, ${BODY.length}\r\n\r\n${BODY}`],
  ['a signed length', `${HEAD}Content-Length: +${BODY.length}\r\n\r\n${BODY}`],
  ['a negative length', `${HEAD}Content-Length: -1\r\n\r\n${BODY}`],
  ['a hexadecimal length', `${HEAD}Content-Length: 0x10\r\n\r\n${BODY}`],
  ['a fraction of a length', `${HEAD}Content-Length: 1.5\r\n\r\n${BODY}`],
  ['a length beyond 64 bits', `${HEAD}Content-Length: 18446744073709551617\r\n\r\n${BODY}`],
  ['a length with a blank inside', `${HEAD}Content-Length: 1 0\r\n\r\n${BODY}`],
  ['an empty length', `${HEAD}Content-Length: \r\n\r\n${BODY}`],
  ['a space before the colon of a length', `${HEAD}Content-Length : ${BODY.length}\r\n\r\n${BODY}`],
  ['a space before the colon of a coding', `${HEAD}Transfer-Encoding : chunked\r\n\r\n${chunked(BODY)}`],
  ['an unknown coding', `${HEAD}Transfer-Encoding: xchunked\r\n\r\n${chunked(BODY)}`],
  ['identity', `${HEAD}Transfer-Encoding: identity\r\n\r\n${chunked(BODY)}`],
  ['chunks that are not the last coding', `${HEAD}Transfer-Encoding: chunked, identity\r\n\r\n${chunked(BODY)}`],
  ['chunks twice', `${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n${chunked(BODY)}`],
  ['a control character before the coding', `${HEAD}Transfer-Encoding: \x0bchunked\r\n\r\n${chunked(BODY)}`],
  ['a folded coding', `${HEAD}Transfer-Encoding:\r\n chunked\r\nContent-Length: 3\r\n\r\n${chunked(BODY)}`],
  ['a chunk size that is no number', `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n${BODY}\r\n0\r\n\r\n`],
  ['a negative chunk size', `${HEAD}Transfer-Encoding: chunked\r\n\r\n-1\r\n${BODY}\r\n0\r\n\r\n`],
  ['a chunk size with a prefix', `${HEAD}Transfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n`],
  ['a chunk size beyond 64 bits', `${HEAD}Transfer-Encoding: chunked\r\n\r\n1${'0'.repeat(16)}4\r\nabcd\r\n0\r\n\r\n`],
  ['a chunk longer than it says', `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\n${BODY}\r\n0\r\n\r\n`],
  ['a chunk size ended by a bare LF', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n`],
  ['header lines ended by a bare LF', `POST /v1/messages HTTP/1.1\nHost: x\nContent-Length: 3\n\nabc`],
  ['a bare CR in a header', `${HEAD}X-A: b\rContent-Length: 3\r\n\r\n${BODY}`],
  ['NUL in a header', `${HEAD}X-A: b\0c\r\nContent-Length: 3\r\n\r\n${BODY}`],
  ['NUL in a header name', `${HEAD}Content\0-Length: 3\r\n\r\n${BODY}`],
  ['a header without colon', `${HEAD}nonsense\r\n\r\n`],
  ['a header without name', `${HEAD}: value\r\n\r\n`],
  ['a folded header', `${HEAD}X-A: b\r\n Content-Length: 3\r\n\r\n${BODY}`],
  ['NUL in the path', `GET /v1/mod\0els HTTP/1.1\r\n${AUTH}\r\n`],
  ['another protocol', `GET /v1/models HTTQ/1.1\r\n${AUTH}\r\n`],
  ['a space in the path', `POST /v1/messages x HTTP/1.1\r\n${AUTH}Content-Length: 3\r\n\r\nabc`],
  ['an unknown version', `POST /v1/messages HTTP/3.7\r\n${AUTH}Content-Length: 3\r\n\r\nabc`],
  ['no version', `GET /v1/models\r\n${AUTH}\r\n`],
  ['a method in lower case', `post /v1/messages HTTP/1.1\r\n${AUTH}Content-Length: 3\r\n\r\nabc`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
];

describe('ambiguous requests', () => {
  test.each(AMBIGUOUS)(
    '[SEC-20] [API-17] %s: 400 in JSON, and what stands behind is not run',
    async (_name, request) => {
      const { answers, rest, closed } = await speak(gateway.url, wire(`${request}${HIDDEN}${HIDDEN}`), UNTIL_CLOSED);
      expect(answers.map(({ status }) => status)).toEqual([400]);
      const { type, error, request_id: id } = JSON.parse(answers[0]!.body.toString()) as ErrorBody;
      expect([type, error.type]).toEqual(['error', 'invalid_request_error']);
      const head = answers[0]!.head.toLowerCase();
      for (const line of [`x-request-id: ${id}`, 'connection: close', 'content-type: application/json']) {
        expect(head).toContain(line);
      }
      expect([closed, rest.length]).toEqual([true, 0]);
      expect(mock.received()).toBe(before);
    },
  );

  test('[SEC-20] they are counted, by kind', async () => {
    const metrics = await (await fetch(gateway.metricsUrl)).text();
    expect(metrics).toMatch(/portcullis_listener_errors_total\{code="HPE_[A-Z_]+"\} [1-9]/);
  });
});

describe('requests with a clear end', () => {
  test('[SEC-20] the bytes behind a whole body are the next request, no more and no fewer', async () => {
    const { answers } = await speak(gateway.url, `${HIDDEN}${HIDDEN}${HIDDEN}`, { answers: 3 });
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(mock.requests.slice(-3).map(({ body }) => body.toString())).toEqual([BODY, BODY, BODY]);
  });

  test('[SEC-20] a body on a request that takes none is skipped, not run', async () => {
    const inner = `GET /v1/models HTTP/1.1\r\n${AUTH}\r\n`;
    const { answers } = await speak(
      gateway.url,
      `GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length}\r\n\r\n${inner}${HIDDEN}`,
      { answers: 2 },
    );
    expect(answers.map(({ status, body }) => [status, body.includes('"data"')])).toEqual([
      [200, false],
      [200, false],
    ]);
    expect(mock.received()).toBe(before + 1);
  });

  test('[SEC-20] a refused request takes its unread body with it: closed, nothing behind it is run', async () => {
    const refused = `POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: ${HIDDEN.length + 5}\r\n\r\n${HIDDEN}`;
    const { answers, closed } = await speak(gateway.url, `${refused}${HIDDEN}`, UNTIL_CLOSED);
    expect(answers.map(({ status }) => status)).toEqual([401]);
    expect(answers[0]!.head.toLowerCase()).toContain('connection: close');
    expect(closed).toBe(true);
    expect(mock.received()).toBe(before);
  });

  test('[SEC-20] chunks are joined, their extensions and trailers dropped', async () => {
    const half = BODY.length >> 1;
    const pieces = [BODY.slice(0, half), BODY.slice(half)].map(
      (text) => `${text.length.toString(16)};a=b\r\n${text}\r\n`,
    );
    const request = `${HEAD}Transfer-Encoding: chunked\r\n\r\n${pieces.join('')}0\r\nX-Api-Key: trailer\r\n\r\n`;
    const { answers } = await speak(gateway.url, request);
    expect(answers[0]!.status).toBe(200);
    const sent = mock.requests.at(-1)!;
    expect(sent.body.toString()).toBe(BODY);
    expect(sent.headers['content-length']).toBe(String(BODY.length));
    expect(sent.headers['transfer-encoding']).toBeUndefined();
  });
});
