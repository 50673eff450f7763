// A client below HTTP that is in no hurry: bytes as given, whole answers taken off the wire one by one, and whatever is left over.
import { connect, type Socket } from 'node:net';

/** One answer, delimited by its Content-Length. */
export interface WireAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: Buffer;
}

export interface Conversation {
  readonly answers: readonly WireAnswer[];
  /** Bytes that are no whole answer. */
  readonly rest: Buffer;
  /** True when the server ended the connection. */
  readonly closed: boolean;
}

export interface SpeakOptions {
  /** Stop after this many answers. Default 1. */
  readonly answers?: number;
  /** Say that nothing more comes, as a client does that gives up. */
  readonly end?: boolean;
  /** Milliseconds to wait at most. Default 3000. */
  readonly patienceMs?: number;
}

/** A connection that stays half open: the server's end does not end ours. */
export function openSocket(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
  return socket.on('error', () => undefined);
}

/** Writes bytes to a fresh connection and collects what comes back. */
export async function speak(
  url: string,
  bytes: string | Buffer,
  { answers = 1, end = false, patienceMs = 3_000 }: SpeakOptions = {},
): Promise<Conversation> {
  const socket = openSocket(url);
  const received: Buffer[] = [];
  let closed = false;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, patienceMs);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const gone = (): void => {
      closed = true;
      done();
    };
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      if (split(Buffer.concat(received)).answers.length >= answers) done();
    });
    socket.once('end', gone).once('close', gone);
    socket.write(bytes);
    if (end) socket.end();
  });
  socket.destroy();
  return { ...split(Buffer.concat(received)), closed };
}

/** A request with the given header lines; Host comes first, Content-Length last where there is a body. */
export function wireRequest(
  method: string,
  target: string,
  headers: readonly string[] = [],
  body?: string | Buffer,
): Buffer {
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const head = [`${method} ${target} HTTP/1.1`, 'Host: gateway', ...headers, ...length, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body ?? '')]);
}

function split(bytes: Buffer): { answers: WireAnswer[]; rest: Buffer } {
  const answers: WireAnswer[] = [];
  let rest = bytes;
  for (;;) {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd < 0) return { answers, rest };
    const head = rest.toString('latin1', 0, headEnd);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    const length = status < 200 ? 0 : Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
    const end = headEnd + 4 + length;
    if (Number.isNaN(status) || Number.isNaN(length) || rest.length < end) return { answers, rest };
    // 100 Continue is a word between, not an answer.
    if (status >= 200) answers.push({ status, head, body: rest.subarray(headEnd + 4, end) });
    rest = rest.subarray(end);
  }
}
