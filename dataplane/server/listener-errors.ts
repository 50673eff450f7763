// Requests that never became a call: header blocks too large, bytes that are not HTTP, clients too slow to finish a header. Answered in
// the same JSON envelope as everything else, then closed, because nothing behind a broken request can be trusted.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { envelope, errorTypeOf } from '../errors.ts';

const ANSWERS: Readonly<Record<string, readonly [status: number, phrase: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'request header fields are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'the request did not arrive in time'],
  HPE_INVALID_EOF_STATE: [400, 'Bad Request', 'the request was cut short'],
};

const MALFORMED = [400, 'Bad Request', 'the request is not valid HTTP'] as const;

const LINGER_MS = 1_000;
const lingering = new WeakSet<Socket>();

export function answerListenerError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  requestId: string,
  observe: (code: string) => void,
): void {
  const code = error.code ?? 'unknown';
  // The rest of a request that was refused: swallowed, or the reset would overtake the answer.
  if (lingering.has(socket) && code !== 'ECONNRESET') return;
  // A reset is somebody hanging up, not a request.
  if (code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  observe(code.startsWith('HPE_') || code.startsWith('ERR_') ? code : 'other');
  const [status, phrase, message] = ANSWERS[code] ?? MALFORMED;
  const body = envelope(errorTypeOf(status), message, requestId);
  socket.end(
    `HTTP/1.1 ${status} ${phrase}\r\nx-request-id: ${requestId}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  lingering.add(socket);
  // Nobody else ends a connection whose client never closes its side.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** Rubbish behind a request whose answer is under way: words of ours would become part of that answer. Node's own handler looks here too. */
function isAnswering(socket: Socket & { _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}
