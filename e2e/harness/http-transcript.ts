// Bytes of an HTTP/1.1 connection, as a tap recorded them → messages. Reads what was on the wire and repairs nothing: a message that is not
// whole says so.

export interface HttpMessage {
  readonly startLine: string;
  /** Names and values in turn, in the order and case of the wire. */
  readonly rawHeaders: readonly string[];
  /** By lower-case name; repeats joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Without chunk framing, never decompressed. */
  readonly body: Buffer;
  /** False when the bytes end before the message does. */
  readonly complete: boolean;
  /** Where it begins in the bytes of its direction. */
  readonly offset: number;
}

const HEAD_END = '\r\n\r\n';
const LINE_END = '\r\n';

/** All messages of one direction. @param isBodiless for message n: HEAD answers have headers of a body they do not have */
export function readMessages(bytes: Buffer, isBodiless: (index: number) => boolean = () => false): HttpMessage[] {
  const messages: HttpMessage[] = [];
  let at = 0;
  while (at < bytes.length) {
    const headEnd = bytes.indexOf(HEAD_END, at);
    if (headEnd < 0) break;
    const head = readHead(bytes.toString('latin1', at, headEnd));
    const bodyStart = headEnd + HEAD_END.length;
    const isResponse = head.startLine.startsWith('HTTP/');
    const status = isResponse ? Number(head.startLine.split(' ')[1]) : 0;
    if (isResponse && status < 200) {
      at = bodyStart;
      continue;
    }
    const none = isBodiless(messages.length) || status === 204 || status === 304;
    const { end, ...rest } = none
      ? { body: Buffer.alloc(0), complete: true, end: bodyStart }
      : readBody(bytes, bodyStart, head.headers, isResponse);
    messages.push({ ...head, ...rest, offset: at });
    at = end;
  }
  return messages;
}

function readHead(text: string): Pick<HttpMessage, 'startLine' | 'rawHeaders' | 'headers'> {
  const [startLine = '', ...lines] = text.split(LINE_END);
  const headers: Record<string, string> = {};
  const rawHeaders = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    const key = name.toLowerCase();
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`;
    return [name, value];
  });
  return { startLine, rawHeaders, headers };
}

interface ReadBody {
  readonly body: Buffer;
  readonly complete: boolean;
  readonly end: number;
}

function readBody(bytes: Buffer, start: number, headers: HttpMessage['headers'], isResponse: boolean): ReadBody {
  if (/chunked/i.test(headers['transfer-encoding'] ?? '')) return readChunks(bytes, start);
  const length = headers['content-length'];
  if (length === undefined) {
    const end = isResponse ? bytes.length : start;
    return { body: bytes.subarray(start, end), complete: true, end };
  }
  const end = Math.min(bytes.length, start + Number(length));
  return { body: bytes.subarray(start, end), complete: end - start === Number(length), end };
}

function readChunks(bytes: Buffer, start: number): ReadBody {
  const chunks: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf(LINE_END, at);
    const size = lineEnd < 0 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const data = lineEnd + LINE_END.length;
    const isWhole = data + size + LINE_END.length <= bytes.length;
    if (Number.isNaN(size) || !isWhole) return { body: Buffer.concat(chunks), complete: false, end: bytes.length };
    at = data + size + LINE_END.length;
    if (size === 0) return { body: Buffer.concat(chunks), complete: true, end: at };
    chunks.push(bytes.subarray(data, data + size));
  }
}
