/** The load generator's reader: whatever the sockets' chunks are, the same responses must come out. */
import { array, assert, nat, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ResponseReader } from './response-reader.ts';

const responses = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello' +
    'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n' +
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab\r\n\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n' +
    'HTTP/1.1 529 Busy\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\ntrailer: x\r\n\r\n',
);
const expected = ['200:hello', '404:', '200:ab\r\n0123456789', '529:z'];

function read(chunks: Iterable<Buffer>): string[] {
  const seen: string[] = [];
  let current = '';
  const reader = new ResponseReader({
    onHead: (status) => (current = `${status}:`),
    onBody: (bytes) => (current += bytes.toString()),
    onEnd: () => seen.push(current),
  });
  for (const chunk of chunks) reader.push(chunk);
  return seen;
}

describe('responses', () => {
  test('in one piece, and byte by byte', () => {
    expect(read([responses])).toEqual(expected);
    expect(read(Array.from(responses, (byte) => Buffer.of(byte)))).toEqual(expected);
  });

  test('split anywhere', () => {
    assert(
      property(array(nat(responses.length), { maxLength: 12 }), (cuts) => {
        const edges = [0, ...cuts.toSorted((a, b) => a - b), responses.length];
        expect(read(edges.slice(1).map((end, index) => responses.subarray(edges[index], end)))).toEqual(expected);
      }),
    );
  });
});

test.each(['HTTP/1.1 200 OK\r\ncontent-type: x\r\n\r\n', 'SSH-2.0\r\n\r\n'])('%j is refused', (bytes) => {
  expect(() => read([Buffer.from(bytes)])).toThrow('not a response');
});
