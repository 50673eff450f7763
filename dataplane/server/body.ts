// Reads a request body under its limits: declared length refused before a byte is read, real length while reading, decompressed length
// while inflating. The client that stalls is given up after a time.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { GatewayError, refuse } from '../errors.ts';

type Inflate = (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

/** A map, because a client that sends `Content-Encoding: constructor` would find that in any object. */
const INFLATE: ReadonlyMap<string, Inflate> = new Map([
  ['gzip', promisify(gunzip) as Inflate],
  ['x-gzip', promisify(gunzip) as Inflate],
  ['deflate', promisify(inflate) as Inflate],
  ['br', promisify(brotliDecompress) as Inflate],
  ['zstd', promisify(zstdDecompress) as Inflate],
]);

export interface BodyLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

export interface BodySource {
  readonly request: IncomingMessage;
  readonly response: Pick<ServerResponse, 'writeContinue'>;
}

/** The client went away before its request was whole; there is nobody to answer. */
export class ClientGoneError extends Error {
  readonly code = 'client_gone';
}

/**
 * @returns the body, decompressed where Content-Encoding says so
 * @throws {GatewayError} 411, 413, 415, 408 or 400; {@link ClientGoneError}
 */
export async function readBody({ request, response }: BodySource, limits: BodyLimits): Promise<Buffer> {
  checkDeclaredLength(request, limits.maxBytes);
  const decode = decoderOf(request);
  // A client that asked before it sends is told to go on only now, when nothing speaks against it any more.
  if (request.httpVersion === '1.1' && /\b100-continue\b/i.test(request.headers.expect ?? '')) response.writeContinue();
  const received = await collect(request, limits);
  return decode === undefined ? received : decode(received, limits.maxBytes);
}

function checkDeclaredLength({ headers }: IncomingMessage, maxBytes: number): void {
  const declared = headers['content-length'];
  if (declared === undefined) {
    if (headers['transfer-encoding'] !== undefined) return;
    throw new GatewayError({
      reason: 'length_required',
      status: 411,
      message: 'a body is needed: send Content-Length',
    });
  }
  if (Number(declared) > maxBytes) throw tooLarge(maxBytes);
}

function collect(request: IncomingMessage, { maxBytes, timeoutMs }: BodyLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => {
      fail(
        new GatewayError({ reason: 'body_timeout', status: 408, message: 'the request body did not arrive in time' }),
      );
    }, timeoutMs);
    const stop = (): void => {
      clearTimeout(timer);
      request
        .removeListener('data', onData)
        .removeListener('end', onEnd)
        .removeListener('close', onClose)
        .removeListener('error', onClose);
    };
    const fail = (error: Error): void => {
      stop();
      // Whatever is still on its way is not worth reading; the edge closes the connection behind the answer.
      request.pause();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) fail(tooLarge(maxBytes));
      else chunks.push(chunk);
    };
    const onEnd = (): void => {
      stop();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size));
    };
    const onClose = (): void => fail(new ClientGoneError('client closed the connection'));
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

type Decode = (body: Buffer, maxBytes: number) => Promise<Buffer>;

function decoderOf({ headers }: IncomingMessage): Decode | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (encoding === '' || encoding === 'identity') return undefined;
  const inflateBody = INFLATE.get(encoding);
  if (inflateBody === undefined) {
    throw new GatewayError({
      reason: 'unsupported_encoding',
      status: 415,
      message: 'Content-Encoding must be gzip, deflate, br, zstd or identity',
    });
  }
  return async (body, maxBytes) => {
    try {
      return await inflateBody(body, { maxOutputLength: maxBytes });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
      throw refuse.badRequest('bad_encoding', `the body is not valid ${encoding}`);
    }
  };
}

function tooLarge(maxBytes: number): GatewayError {
  return refuse.tooLarge(`request body is larger than ${maxBytes} bytes`);
}
