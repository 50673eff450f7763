/** What the surfaces on AWS share: who may call, how refusals look, and frames. */
import { EventStreamCodec } from '@smithy/eventstream-codec';
import { signatureFault } from '#dataplane/credentials/testing-signature.ts';
import { SecretText } from '#shared/secret-text.ts';
import type { RecordedRequest, SurfaceRefusal } from '../mock-anthropic.ts';
import { AWS, PLANTED } from './accounts.ts';

const ownKeys = {
  accessKeyId: AWS.accessKeyId,
  secretAccessKey: new SecretText(AWS.secretAccessKey),
  sessionToken: undefined,
};
const sessionKeys = { ...ownKeys, sessionToken: new SecretText(AWS.sessionToken) };

const ERROR_NAMES: Readonly<Record<number, string>> = {
  400: 'ValidationException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  408: 'ModelTimeoutException',
  424: 'ModelErrorException',
  429: 'ThrottlingException',
  500: 'InternalServerException',
  503: 'ServiceUnavailableException',
};

/** AWS's own shape, with the name in a header. */
export function awsError(status: number, message: string, name = ERROR_NAMES[status] ?? 'InternalServerException') {
  return {
    status,
    headers: { 'x-amzn-errortype': `${name}:http://internal.amazon.com/coral/com.amazon.bedrock/`, ...awsHeaders() },
    body: JSON.stringify({ message }),
  };
}

/** A signature over the request as it came, or the bearer key. */
export function awsFault(request: RecordedRequest, service: string, keyHeader?: string): SurfaceRefusal | undefined {
  const { method, url, headers, body } = request;
  const { authorization = '' } = headers;
  if (authorization === `Bearer ${AWS.bearerKey}`) return undefined;
  if (keyHeader !== undefined && headers[keyHeader] === AWS.bearerKey) return undefined;
  const fault = authorization.startsWith('AWS4-HMAC-SHA256 ')
    ? signatureFault(
        { method, url, host: headers.host ?? '', headers, body },
        { keys: headers['x-amz-security-token'] === undefined ? ownKeys : sessionKeys, service, region: AWS.region },
      )
    : 'no credential';
  if (fault === undefined) return undefined;
  return awsError(403, `${fault}: not authorized for ${PLANTED.arn}`, 'UnrecognizedClientException');
}

export function awsHeaders(requestId = '00000000-1111-4222-8333-444444444444'): Record<string, string> {
  return { 'x-amzn-requestid': requestId, date: new Date().toUTCString() };
}

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString('utf8'),
  (text) => Buffer.from(text),
);

/** An SSE event in the provider's spelling: one `data:` line. */
const EVENT = /^event: (.+)\ndata: (.+)$/;

const EXCEPTIONS: Readonly<Record<string, string>> = {
  overloaded_error: 'serviceUnavailableException',
  rate_limit_error: 'throttlingException',
  timeout_error: 'modelTimeoutException',
  invalid_request_error: 'validationException',
  api_error: 'internalServerException',
};

/** Server-sent events as the frames of InvokeModelWithResponseStream, with the padding and the metrics Bedrock adds. */
export function eventStream(events: Buffer): Buffer {
  const frames = events
    .toString()
    .split('\n\n')
    .flatMap((event) => {
      const [, name, data] = EVENT.exec(event) ?? [];
      // Bedrock has no pings.
      return name === undefined || data === undefined || name === 'ping' ? [] : [frameOf(name, data)];
    });
  return Buffer.concat(frames);
}

function frameOf(name: string, data: string): Buffer {
  const event = JSON.parse(data) as Record<string, unknown> & { error?: { type: string; message: string } };
  if (name === 'error' && event.error !== undefined) {
    const { type, message } = event.error;
    return encoded(':exception-type', EXCEPTIONS[type] ?? 'modelStreamErrorException', 'exception', { message });
  }
  const metrics = { inputTokenCount: 12, outputTokenCount: 9, invocationLatency: 812, firstByteLatency: 301 };
  const whole = name === 'message_stop' ? { ...event, 'amazon-bedrock-invocationMetrics': metrics } : event;
  const bytes = Buffer.from(JSON.stringify(whole)).toString('base64');
  return encoded(':event-type', 'chunk', 'event', {
    bytes,
    p: 'abcdefghijklmnopqrstuvwxyz'.slice(0, bytes.length % 26),
  });
}

function encoded(nameHeader: string, name: string, kind: string, payload: object): Buffer {
  const text = (value: string) => ({ type: 'string' as const, value });
  const headers = { [nameHeader]: text(name), ':content-type': text('application/json'), ':message-type': text(kind) };
  return Buffer.from(codec.encode({ headers, body: Buffer.from(JSON.stringify(payload)) }));
}

/** Answers name the model as Anthropic does, whatever profile it was called through. */
export function modelName(asked: string): string {
  if (asked.startsWith('arn:')) return 'claude-sonnet-5-5';
  return asked.replace(/^(?:[a-z-]+\.)?anthropic\./, '').replace(/-v\d(?::\d)?$/, '');
}
