// How the AWS SDK reaches STS: through our own fetch, so that the configured proxy holds for it too and the answer's date tells how wrong
// our clock is.
import { Readable } from 'node:stream';
import { CredentialError } from './credential-error.ts';
import type { Skew } from './skew.ts';
import type { CredentialPorts } from './source.ts';

/** The parts of the SDK's request that STS uses. */
interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Readable;
}

/** fetch writes these itself. */
const HOP = new Set(['host', 'content-length']);

export function stsRequestHandler({ fetch, clock }: CredentialPorts, skew: Skew, signal: AbortSignal) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: SdkRequest): Promise<{ response: SdkResponse }> {
      const { method, protocol, hostname, port, path, body } = request;
      const url = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
      const headers = Object.entries(request.headers).filter(([name]) => !HOP.has(name.toLowerCase()));
      try {
        const answer = await fetch(url, {
          method,
          headers,
          redirect: 'manual',
          signal,
          ...(body === undefined ? {} : { body }),
        });
        skew.learn(answer.headers.get('date'), clock.now());
        const bytes = Buffer.from(await answer.arrayBuffer());
        return {
          response: {
            statusCode: answer.status,
            headers: Object.fromEntries(answer.headers),
            body: Readable.from([bytes]),
          },
        };
      } catch (error) {
        const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
        throw new CredentialError('unreachable', `cannot reach ${hostname}${code === undefined ? '' : ` (${code})`}`);
      }
    },
    destroy(): void {},
    updateHttpClientConfig(): void {},
    httpHandlerConfigs: () => ({}),
  };
}
