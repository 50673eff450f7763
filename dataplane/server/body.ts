// Reads a request body under its limits: declared length refused before a byte is read, real length while reading, decompressed length
// while inflating. The client that stalls is given up after a time.
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { GatewayError, refuse } from '../errors.ts';

type Inflate = (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const INFLATE: Readonly<Record<string, Inflate>> = {
  gzip: promisify(gunzip) as Inflate,
  'x-gzip': promisify(gunzip) as Inflate,
  deflate: promisify(inflate) as Inflate,
  br: promisify(brotliDecompress) as Inflate,
  zstd: promisify(zstdDecompress) as Inflate,
};

export interface BodyLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** The client went away before its request was whole; there is nobody to answer. */
export class ClientGoneError extends Error {
  readonly code = 'client_gone';
}

/**
 * @returns the body, decompressed where Content-Encoding says so
 * @throws {GatewayError} 411, 413, 415, 408 or 400; {@link ClientGoneError}
 */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  checkDeclaredLength(request, limits.maxBytes);
  const received = await collect(request, limits);
  const encoding = request.headers['content-encoding']?.trim().toLowerCase();
  return encoding === undefined || encoding === '' || encoding === 'identity'
    ? received
    : decode(received, encoding, limits.maxBytes);
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

async function decode(body: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  const inflateBody = INFLATE[encoding];
  if (inflateBody === undefined) {
    throw new GatewayError({
      reason: 'unsupported_encoding',
      status: 415,
      message: 'Content-Encoding must be gzip, deflate, br, zstd or identity',
    });
  }
  try {
    return await inflateBody(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw refuse.badRequest('bad_encoding', `the body is not valid ${encoding}`);
  }
}

function tooLarge(maxBytes: number): GatewayError {
  return refuse.tooLarge(`request body is larger than ${maxBytes} bytes`);
}
