import { describe, expect, it } from 'vitest';
import { EventNames } from './event-names.ts';
import { SseReader } from './sse-events.ts';
import { errorEvent, pingEvent } from './sse-write.ts';

describe('events of our own', () => {
  it('[XLAT-07] writes a ping byte for byte as the API does', () => {
    expect(pingEvent.toString()).toBe('event: ping\ndata: {"type": "ping"}\n\n');
  });

  it('writes an error in the envelope, request id last', () => {
    expect(errorEvent('overloaded_error', 'try "later"', 'req-1').toString()).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"try \\"later\\""},"request_id":"req-1"}\n\n',
    );
  });

  it('keeps a message with line ends and event syntax inside its event', () => {
    const message = 'a\n\nevent: ping\r\ndata: {}\r\rb\u2028é';
    const seen: unknown[] = [];
    const reader = new SseReader((name, data) => seen.push([name, JSON.parse(data.toString())]), {
      wanted: new EventNames(['error', 'ping']),
    });
    reader.push(errorEvent('api_error', message, 'r'));
    expect(seen).toEqual([['error', { type: 'error', error: { type: 'api_error', message }, request_id: 'r' }]]);
    expect(reader.atBoundary).toBe(true);
  });
});
