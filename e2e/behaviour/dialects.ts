// Calls in every client format, as its own clients write them, for tests of the doors: where each goes, what it carries and how the
// answer reads.
import { decodeAll } from './frames.ts';
import type { Dialect } from '#shared/bundle/bundle.ts';
import { basicResources, CI_KEY, type Resources, type TestGateway } from '../harness/gateway.ts';
import { send, type Answer, type Ask } from './http-client.ts';

export const EVERY_DIALECT: readonly Dialect[] = ['Anthropic', 'Bedrock', 'Vertex', 'Foundry', 'ClaudePlatformAWS'];

export const BEDROCK_MODEL = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
export const VERTEX_MODEL = 'claude-sonnet-4-5@20250929';
/** What both are to Anthropic. */
export const CANONICAL = 'claude-sonnet-4-5-20250929';

const VERTEX_BASE = '/v1/projects/any-project/locations/us-east5/publishers/anthropic/models';

/** A gateway that serves every format, with one Anthropic upstream. */
export function everyDialect(url: string, gatewaySpec: Record<string, unknown> = {}): Resources {
  return basicResources(url, { dialects: EVERY_DIALECT, ...gatewaySpec });
}

/** One client format, as its clients speak it. */
export interface Format {
  readonly dialect: Dialect;
  /** Where a message goes that answers whole, one that streams, and a count. */
  readonly plain: string;
  readonly stream: string;
  readonly count: string;
  /** The body of a call for {@link CANONICAL}. */
  readonly body: (stream: boolean, more?: Readonly<Record<string, unknown>>) => Record<string, unknown>;
  readonly countBody: () => Record<string, unknown>;
}

const messages = [{ role: 'user', content: 'hi' }];

function messagesFormat(dialect: Dialect, prefix: string): Format {
  return {
    dialect,
    plain: `${prefix}/v1/messages`,
    stream: `${prefix}/v1/messages`,
    count: `${prefix}/v1/messages/count_tokens`,
    body: (stream, more) => ({ model: CANONICAL, max_tokens: 16, messages, ...(stream ? { stream } : {}), ...more }),
    countBody: () => ({ model: CANONICAL, messages }),
  };
}

const bedrockBody = (more: Readonly<Record<string, unknown>> = {}) => ({
  anthropic_version: 'bedrock-2023-05-31',
  max_tokens: 16,
  messages,
  ...more,
});

export const FORMATS: readonly Format[] = [
  messagesFormat('Anthropic', ''),
  {
    dialect: 'Bedrock',
    plain: `/model/${BEDROCK_MODEL}/invoke`,
    stream: `/model/${BEDROCK_MODEL}/invoke-with-response-stream`,
    count: `/model/${BEDROCK_MODEL}/count-tokens`,
    body: (_stream, more) => bedrockBody(more),
    countBody: () => bedrockCount(bedrockBody()),
  },
  {
    dialect: 'Vertex',
    plain: `${VERTEX_BASE}/${VERTEX_MODEL}:rawPredict`,
    stream: `${VERTEX_BASE}/${VERTEX_MODEL}:streamRawPredict`,
    count: `${VERTEX_BASE}/count-tokens:rawPredict`,
    body: (stream, more) => ({
      anthropic_version: 'vertex-2023-10-16',
      max_tokens: 16,
      messages,
      ...(stream ? { stream } : {}),
      ...more,
    }),
    countBody: () => ({ anthropic_version: 'vertex-2023-10-16', model: VERTEX_MODEL, messages }),
  },
  messagesFormat('Foundry', '/foundry'),
  messagesFormat('ClaudePlatformAWS', '/anthropic-aws'),
];

export function formatOf(dialect: Dialect): Format {
  return FORMATS.find((format) => format.dialect === dialect)!;
}

/** A body of CountTokens around one of InvokeModel. */
export function bedrockCount(body: unknown): Record<string, unknown> {
  return { input: { invokeModel: { body: Buffer.from(JSON.stringify(body)).toString('base64') } } };
}

/** A call with a gateway key, as JSON. */
export function ask(
  gateway: Pick<TestGateway, 'url'>,
  path: string,
  body: unknown,
  { headers = [], ...more }: Ask = {},
): Promise<Answer> {
  const own = ['Authorization', `Bearer ${CI_KEY}`, 'Content-Type', 'application/json', ...headers];
  return send(gateway.url, { path, body, headers: own, ...more });
}

/** The events of a streamed answer, whatever format it came in. */
export function streamedEvents({ headers, body }: Answer): Record<string, unknown>[] {
  if (headers['content-type'] === 'application/vnd.amazon.eventstream') return decodeAll(body);
  const lines = body.toString().split('\n');
  const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5));
  return data.map((text) => JSON.parse(text) as Record<string, unknown>);
}

/** What a refusal says, in the format's own shape; throws where the shape is another one. */
export function wordsOf(dialect: Dialect, { status, headers, body }: Answer): string {
  const parsed = JSON.parse(body.toString()) as Record<string, unknown>;
  const shape = (members: readonly string[], found: Record<string, unknown> = parsed): void => {
    const names = Object.keys(found).toSorted();
    if (names.join() !== [...members].toSorted().join()) throw new Error(`${dialect}: ${body.toString()}`);
  };
  if (dialect === 'Bedrock') {
    shape(['message']);
    if (!/^[A-Z]\w+Exception$/.test(headers['x-amzn-errortype'] as string)) throw new Error('no x-amzn-errortype');
    if (headers['x-amzn-requestid'] !== headers['x-request-id']) throw new Error('no x-amzn-requestid');
    return parsed['message'] as string;
  }
  const error = parsed['error'] as Record<string, unknown>;
  if (dialect === 'Vertex') {
    shape(['error']);
    shape(['code', 'message', 'status'], error);
    if (error['code'] !== status) throw new Error(`code ${String(error['code'])} with status ${status}`);
  } else if (dialect === 'Foundry' && status === 401) {
    shape(['error']);
    shape(['code', 'message'], error);
    if (error['code'] !== '401') throw new Error(`code ${String(error['code'])}`);
  } else {
    shape(['type', 'request_id', 'error']);
    shape(['type', 'message'], error);
  }
  return error['message'] as string;
}
