// A transcript reader that lost or joined bytes would make the journeys' comparison of bytes worthless.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readMessages } from './http-transcript.ts';

const wire = (...parts: (string | Buffer)[]): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part)));

test('requests one after the other, by Content-Length', () => {
  const [first, second] = readMessages(
    wire(
      'POST /a?b HTTP/1.1\r\nX-Odd: 1\r\nContent-Length: 3\r\n\r\nabcGET /c HTTP/1.1\r\nx-odd: 2\r\nX-ODD: 3\r\n\r\n',
    ),
  );
  expect(first).toMatchObject({ startLine: 'POST /a?b HTTP/1.1', complete: true, headers: { 'x-odd': '1' } });
  expect(first?.rawHeaders).toEqual(['X-Odd', '1', 'Content-Length', '3']);
  expect(first?.body.toString()).toBe('abc');
  expect(second).toMatchObject({ startLine: 'GET /c HTTP/1.1', headers: { 'x-odd': '2, 3' } });
  expect(second?.body.length).toBe(0);
});

test('chunks of any size give the same body', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })), (chunks) => {
      const framed = chunks.flatMap((chunk) => [`${chunk.length.toString(16)}\r\n`, Buffer.from(chunk), '\r\n']);
      const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
      const [message, next] = readMessages(wire(head, ...framed, '0\r\n\r\n', head, '0\r\n\r\n'));
      expect(message?.body).toEqual(Buffer.concat(chunks));
      expect(message?.complete).toBe(true);
      expect(next?.complete).toBe(true);
    }),
  );
});

test.each([
  ['by length', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc', 'abc'],
  ['by chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nab', 'abc'],
])('a message cut short %s is not complete', (_how, text, body) => {
  const [message] = readMessages(wire(text));
  expect(message?.complete).toBe(false);
  expect(message?.body.toString()).toBe(body);
});

test('answers without a body: 1xx is passed over, 204 and HEAD have none', () => {
  const text =
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nHTTP/1.1 404 x\r\n\r\nrest';
  const messages = readMessages(wire(text), (index) => index === 1);
  expect(messages.map(({ startLine, body }) => [startLine, body.toString()])).toEqual([
    ['HTTP/1.1 204 No Content', ''],
    ['HTTP/1.1 200 OK', ''],
    ['HTTP/1.1 404 x', 'rest'],
  ]);
});
