import { describe, expect, test } from 'vitest';
import { errorEvent } from '../wire/sse-write.ts';
import { leadingError, refusalOf } from './leading-error.ts';

describe('the beginning of a stream', () => {
  test.each([
    ['an error event of ours', errorEvent('overloaded_error', 'try again', 'id'), 'overloaded_error'],
    [
      'one as a provider writes it',
      'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"m"}}\n\n',
      'api_error',
    ],
    ['one without a space', 'event: error\ndata:{"error":{"type":"api_error","message":"m"}}\n\n', 'api_error'],
    ['a message', 'event: message_start\ndata: {"type":"message_start"}\n\n', undefined],
    ['half of an error event', 'event: error\ndata: {"type":"error","err', undefined],
    ['fewer bytes than it takes', 'event: e', undefined],
    ['an error without words', 'event: error\ndata: {"error":{}}\n\n', undefined],
  ])('%s', (_name, bytes, type) => {
    expect(leadingError(Buffer.from(bytes))?.type).toBe(type);
  });
});

test.each([
  ['overloaded_error', 529],
  ['rate_limit_error', 429],
  ['api_error', 500],
  ['timeout_error', 504],
])('%s would have been %i, with its words', (type, status) => {
  const refusal = refusalOf({ type, message: 'words' })!;
  expect(refusal.status).toBe(status);
  expect(JSON.parse(refusal.body.toString())).toEqual({ type: 'error', error: { type, message: 'words' } });
});

test.each(['invalid_request_error', 'permission_error'])('%s is not for another upstream', (type) => {
  expect(refusalOf({ type, message: 'words' })).toBeUndefined();
});
