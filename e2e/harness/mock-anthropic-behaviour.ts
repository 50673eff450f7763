/**
 * What a mock Anthropic upstream can be told to do with one request. Plain data, so that a test names the behaviour it
 * needs and another process can be sent one as JSON.
 */
import type { Usage } from './mock-anthropic-messages.ts';

export type Encoding = 'gzip' | 'br' | 'zstd';

/** Fields that every answer with a model's message shares. */
interface MessageAnswer {
  /** Figures merged over the defaults; `output_tokens` is the final count. */
  readonly usage?: Partial<Usage>;
  /** Compresses the body whatever the request's `accept-encoding` says: a scripted upstream does not negotiate. */
  readonly encoding?: Encoding;
  /** Milliseconds before the response headers. */
  readonly delayMs?: number;
  /** Milliseconds between two chunks of a stream. Default 0: frames leave one after the other, each its own write. */
  readonly gapMs?: number;
  /** Headers merged over the usual ones; a value of `undefined` removes one. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** A text answer, as SSE when the body says `"stream": true`, else as one JSON message. */
export interface TextAnswer extends MessageAnswer {
  readonly kind: 'text';
  readonly text?: string;
  readonly stopReason?: string;
}

/** Asks for a tool; once the last message of the conversation carries a `tool_result`, answers with `finalText`. */
export interface ToolAnswer extends MessageAnswer {
  readonly kind: 'tool';
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly finalText?: string;
}

/** Thinks aloud before it answers: a thinking block with its signature, then text. */
export interface ThinkingAnswer extends MessageAnswer {
  readonly kind: 'thinking';
  readonly thinking: string;
  readonly signature: string;
  readonly text?: string;
}

/**
 * A stream of `count` text deltas `gapMs` apart. The opening frames leave at once as one chunk, the closing frames right
 * after the last delta, so the stream lasts `count * gapMs`. Streams whatever the body says.
 */
export interface EventStreamAnswer extends MessageAnswer {
  readonly kind: 'events';
  readonly count: number;
  readonly gapMs: number;
  /** Text of each delta. */
  readonly delta?: string;
}

/** An error status in Anthropic's envelope, in the shape of the cloud that is played, or with `body` as given. */
export interface StatusAnswer {
  readonly kind: 'status';
  readonly status: number;
  /** Default: the type the provider uses for that status. */
  readonly errorType?: string;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
  /** In the cloud's own shape; without effect on families that have none. */
  readonly native?: boolean;
  readonly delayMs?: number;
}

/** Reads the request and sends nothing, not even headers, until the client leaves. */
export interface HangAnswer {
  readonly kind: 'hang';
}

/** Resets the connection after `afterEvents` frames of a stream, or in the middle of a JSON body. */
export interface CutAnswer {
  readonly kind: 'cut';
  readonly afterEvents: number;
  readonly text?: string;
}

/** Streams `afterEvents` frames, then nothing: for `forMs` and then the rest, or until the client leaves. */
export interface SilenceAnswer {
  readonly kind: 'silence';
  readonly afterEvents: number;
  readonly forMs?: number;
  readonly text?: string;
}

/** Streams `afterEvents` frames, then an SSE `error` event, then ends. */
export interface ErrorEventAnswer {
  readonly kind: 'error-event';
  readonly afterEvents: number;
  readonly errorType?: string;
  readonly message?: string;
}

export interface RedirectAnswer {
  readonly kind: 'redirect';
  readonly location: string;
  readonly status?: number;
}

/** The answer of `count_tokens`. */
export interface CountAnswer {
  readonly kind: 'count';
  readonly inputTokens: number;
}

/** Exactly these headers (no others but `date`) and chunks: for malformed answers, and for load where building costs. */
export interface RawAnswer {
  readonly kind: 'raw';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: readonly (Buffer | string)[];
  /** Milliseconds between chunks. When set, 0 included, the headers leave before the first chunk. */
  readonly gapMs?: number;
  /** Leaves the response open after the last chunk. */
  readonly keepOpen?: boolean;
}

export type Behaviour =
  | TextAnswer
  | ToolAnswer
  | ThinkingAnswer
  | EventStreamAnswer
  | StatusAnswer
  | HangAnswer
  | CutAnswer
  | SilenceAnswer
  | ErrorEventAnswer
  | RedirectAnswer
  | CountAnswer
  | RawAnswer;
