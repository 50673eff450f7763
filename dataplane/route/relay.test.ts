// The end of a relay when its client takes no more bytes: seen from close by, since the kernel's buffers hide it from afar.
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTap } from '../meter/usage-tap.ts';
import { Relay } from './relay.ts';

const IDLE_MS = 100;

let server: Server;
let client: Socket;
let response: ServerResponse;
let outcomes: string[];
let now: number;

beforeEach(async () => {
  outcomes = [];
  now = 0;
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  // Nothing reads from this socket unless a test says so.
  client.pause().on('error', () => undefined);
  client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
});

afterEach(() => {
  client.destroy();
  server.close();
});

function relay(headers: Record<string, string> = { 'content-type': 'text/event-stream' }): Relay {
  const controller = {
    pause: () => undefined,
    resume: () => undefined,
    abort: () => undefined,
  } as unknown as ConstructorParameters<typeof Relay>[3];
  return new Relay(
    {
      callId: 'id',
      response,
      now: () => now,
      relayBegins: () => undefined,
      failedUnseen: () => false,
      relayEnded: (outcome) => void outcomes.push(outcome),
    },
    openTap(true, false),
    { ping: 1_000_000, idle: IDLE_MS },
    controller,
    200,
    headers,
    [],
    { inbound: undefined, outbound: undefined },
  );
}

/** Writes until the client's connection takes no more. */
async function fill(sink: Relay): Promise<void> {
  const chunk = Buffer.alloc(256 * 1024, ': filler\n\n');
  do {
    sink.chunk(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  } while (response.writableLength === 0);
}

describe('a client that reads nothing', () => {
  test('is dropped when the answer ended before its last bytes were taken', async () => {
    const sink = relay();
    await fill(sink);
    sink.end();
    expect(outcomes).toEqual(['truncated']);
    expect(response.writableLength).toBeGreaterThan(0);
    await once(response, 'close');
    expect(response.writableFinished).toBe(false);
  });

  test('is dropped when the upstream broke before its last bytes were taken', async () => {
    const sink = relay();
    await fill(sink);
    sink.cut();
    expect(outcomes).toEqual(['upstream_cut']);
    await once(response, 'close');
  });

  test('is dropped by the sweep while the answer goes on, not before its time', async () => {
    const sink = relay();
    await fill(sink);
    now = IDLE_MS;
    sink.sweep(now);
    expect(response.destroyed).toBe(false);
    now = IDLE_MS + 1;
    sink.sweep(now);
    expect(response.destroyed).toBe(true);
  });
});

test('a client that reads on gets the rest, and its connection stays open', async () => {
  const sink = relay();
  await fill(sink);
  sink.end();
  client.resume();
  await once(response, 'finish');
  await new Promise((resolve) => setTimeout(resolve, 2 * IDLE_MS));
  expect(client.closed).toBe(false);
});
