// What a client speaks: how its calls arrive is its door's business, how it is answered stands here. Everything between works on the
// Messages API.
import type { Dialect } from '#shared/bundle/bundle.ts';
import type { ErrorType } from '../errors.ts';
import type { Operation, Translator } from '../providers/provider.ts';

/** From the Messages API to the client's own format. */
export interface ClientTranslator extends Translator {
  /**
   * Ends a stream with an error, whatever event is in progress.
   * @param type error type of the Messages API
   */
  fail(type: string, message: string): Buffer;
}

/** An error before it has a shape. */
export interface ErrorWords {
  readonly status: number;
  readonly type: ErrorType;
  readonly message: string;
}

export interface ErrorShape {
  /** Where the format has no such status and says the same with another one. */
  readonly status?: number;
  /** Names and values in turn, besides those every answer has. */
  readonly headers: readonly string[];
  readonly body: string;
}

export interface ClientDialect {
  readonly name: Dialect;
  error(words: ErrorWords, requestId: string): ErrorShape;
  /** Errors are Anthropic envelopes here too: one of an upstream goes out in its own bytes. */
  readonly envelopes: boolean;
  /** How a successful answer is written; undefined where it goes out as the Messages API has it. */
  answer?(operation: Operation, isStream: boolean): ClientTranslator | undefined;
}
