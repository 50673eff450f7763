// The five client dialects by hand, without any SDK: how a call of the Messages API is sent in each, and how the answer is read back into one
// shape in which dialects can be compared.
import { EventStreamCodec } from '@smithy/eventstream-codec';
import type { Dialect } from '#shared/bundle/bundle.ts';
import type { Answer, Ask } from '../../behaviour/http-client.ts';

/** A call as the Messages API has it. */
export interface Question {
  readonly model: string;
  readonly betas: readonly string[];
  readonly stream: boolean;
  /** All but model and stream. */
  readonly body: Readonly<Record<string, unknown>>;
}

export type Json = Readonly<Record<string, unknown>>;

/** An error as the dialect has it: where its kind and its sentence stand. */
export interface NativeError {
  readonly kind: unknown;
  readonly message: unknown;
}

export interface ClientFormat {
  readonly dialect: Dialect;
  /** Headers besides the credential. */
  turn(question: Question): Ask;
  count(question: Question): Ask;
  /** The events of a stream, in order. @throws when it is no stream of this dialect */
  events(answer: Answer): Json[];
  /** Of a count. */
  tokens(answer: Answer): unknown;
  error(answer: Answer): NativeError;
}

const JSON_HEADERS = ['content-type', 'application/json', 'accept', 'application/json'];

function messages(dialect: Dialect, prefix: string): ClientFormat {
  const headers = ({ betas }: Question): string[] => [
    ...JSON_HEADERS,
    'anthropic-version',
    '2023-06-01',
    // As Claude Platform on AWS has it; no family may get the client's.
    'anthropic-workspace-id',
    'wrkspc_client',
    'anthropic-beta',
    betas.join(','),
  ];
  return {
    dialect,
    turn: (question) => ({
      path: `${prefix}/v1/messages?beta=true`,
      headers: headers(question),
      body: { model: question.model, ...question.body, stream: question.stream },
    }),
    count: (question) => ({
      path: `${prefix}/v1/messages/count_tokens?beta=true`,
      headers: headers(question),
      body: { model: question.model, ...countable(question.body) },
    }),
    events: sseEvents,
    tokens: (answer) => jsonOf(answer)['input_tokens'],
    error: (answer) => {
      const { type, message } = jsonOf(answer)['error'] as Json;
      return { kind: type, message };
    },
  };
}

/** What is counted: the figures of an answer that is not asked for stay out. */
function countable({ messages: turns, system, tools }: Json): Json {
  return { messages: turns, ...(system === undefined ? {} : { system }), ...(tools === undefined ? {} : { tools }) };
}

const BEDROCK_VERSION = 'bedrock-2023-05-31';

const bedrock: ClientFormat = {
  dialect: 'Bedrock',
  turn: ({ model, betas, stream, body }) => ({
    path: `/bedrock/model/us.anthropic.${model}/${stream ? 'invoke-with-response-stream' : 'invoke'}`,
    headers: JSON_HEADERS,
    body: { ...body, anthropic_version: BEDROCK_VERSION, anthropic_beta: betas },
  }),
  count: ({ model, betas, body }) => {
    const dialect = { anthropic_version: BEDROCK_VERSION, anthropic_beta: betas };
    const counted = { ...countable(body), ...dialect, max_tokens: 1 };
    const encoded = Buffer.from(JSON.stringify(counted)).toString('base64');
    return {
      path: `/bedrock/model/anthropic.${model}/count-tokens`,
      headers: JSON_HEADERS,
      body: { input: { invokeModel: { body: encoded } } },
    };
  },
  events: frames,
  tokens: (answer) => jsonOf(answer)['inputTokens'],
  error: (answer) => ({ kind: answer.headers['x-amzn-errortype'], message: jsonOf(answer)['message'] }),
};

const VERTEX_MODELS = '/vertex/v1/projects/any-project/locations/global/publishers/anthropic/models';

const vertex: ClientFormat = {
  dialect: 'Vertex',
  turn: ({ model, betas, stream, body }) => ({
    path: `${VERTEX_MODELS}/${model}:${stream ? 'streamRawPredict' : 'rawPredict'}`,
    headers: [...JSON_HEADERS, 'anthropic-beta', betas.join(',')],
    body: { ...body, stream, anthropic_version: 'vertex-2023-10-16' },
  }),
  count: ({ model, betas, body }) => ({
    path: `${VERTEX_MODELS}/count-tokens:rawPredict`,
    headers: [...JSON_HEADERS, 'anthropic-beta', betas.join(',')],
    body: { model, ...countable(body), anthropic_version: 'vertex-2023-10-16' },
  }),
  events: sseEvents,
  tokens: (answer) => jsonOf(answer)['input_tokens'],
  error: (answer) => {
    const { status, message } = jsonOf(answer)['error'] as Json;
    return { kind: status, message };
  },
};

export const CLIENT_FORMATS: readonly ClientFormat[] = [
  messages('Anthropic', ''),
  bedrock,
  vertex,
  messages('Foundry', '/foundry'),
  messages('ClaudePlatformAWS', '/anthropic-aws'),
];

export function jsonOf({ body }: Answer): Json {
  return JSON.parse(body.toString()) as Json;
}

function sseEvents({ headers, body }: Answer): Json[] {
  if (headers['content-type']?.startsWith('text/event-stream') !== true) {
    throw new Error(`no server-sent events but ${headers['content-type']}: ${body.toString().slice(0, 300)}`);
  }
  return body
    .toString()
    .split('\n\n')
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const field = (name: string): string | undefined =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const event = JSON.parse(field('data') ?? '{}') as Json;
      if (field('event') !== event['type']) throw new Error(`event and data disagree: ${block}`);
      return event;
    });
}

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString(),
  (text) => Buffer.from(text),
);

/** Read by an implementation that is not ours; checks both sums of every frame. */
function frames({ headers, body }: Answer): Json[] {
  if (headers['content-type'] !== 'application/vnd.amazon.eventstream') {
    throw new Error(`no event stream but ${headers['content-type']}: ${body.toString().slice(0, 300)}`);
  }
  const found: Json[] = [];
  for (let at = 0; at < body.length; at += body.readUInt32BE(at)) {
    const { headers: names, body: payload } = codec.decode(body.subarray(at, at + body.readUInt32BE(at)));
    const { bytes, message } = JSON.parse(Buffer.from(payload).toString()) as { bytes?: string; message?: string };
    if (names[':message-type']?.value === 'event') {
      found.push(JSON.parse(Buffer.from(bytes ?? '', 'base64').toString()) as Json);
    } else {
      found.push({ type: 'error', error: { type: names[':exception-type']?.value, message } });
    }
  }
  return found;
}
