// What every SDK has to see, whatever it is written in, whatever it speaks and whoever serves it.
import { expect } from 'vitest';
import { RATE_LIMITED, TEXT, TOO_LONG } from './clouds.ts';

/** The order of the events of a short text. */
export const EVENTS = [
  'message_start',
  'content_block_start',
  'content_block_delta',
  'content_block_delta',
  'content_block_delta',
  'content_block_delta',
  'content_block_stop',
  'message_delta',
  'message_stop',
];

export const MESSAGE = {
  text: TEXT,
  stop: 'end_turn',
  usage: { input_tokens: 12, output_tokens: 9, cache_read_input_tokens: 2048, cache_creation_input_tokens: 256 },
};

/** A tool asked for in a stream, and the answer to its result. */
export const TOOL = { streamed: { city: 'Zürich', days: [1, 2] }, stop: 'tool_use', text: 'It rains.' };

/** Errors by what was asked, each with its status and what its message says. */
export const ERRORS: readonly (readonly [string, number, RegExp])[] = [
  ['too long', 400, TOO_LONG],
  ['invalid', 400, /roles must alternate/],
  ['limited', 429, RATE_LIMITED],
  ['unauthenticated', 401, /not valid here/],
];

/** Names of the errors in each client, in the order of {@link ERRORS}. */
export const ERROR_NAMES: Readonly<Record<string, readonly string[]>> = {
  boto3: ['ValidationException', 'ValidationException', 'ThrottlingException', 'UnrecognizedClientException'],
  sdk: ['BadRequestError', 'BadRequestError', 'RateLimitError', 'AuthenticationError'],
};

export type Seen = Readonly<Record<string, unknown>>;

/** Once limited, tried again by the SDK. @param seconds that it waits at least */
export function expectTriedAgain(seen: Seen, seconds: number): void {
  expect(seen['limited once']).toMatchObject({ text: TEXT });
  expect((seen['limited once'] as { seconds: number }).seconds).toBeGreaterThan(seconds);
}

export function expectErrors(seen: Seen, names: readonly string[]): void {
  for (const [index, [asked, status, message]] of ERRORS.entries()) {
    expect([asked, seen[asked]]).toEqual([
      asked,
      expect.objectContaining({
        class: names[index],
        status,
        message: expect.stringMatching(message) as string,
      }) as object,
    ]);
  }
}
