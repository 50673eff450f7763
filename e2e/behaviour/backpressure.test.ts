// A client slower than the upstream: the upstream waits, nothing piles up, no byte is lost, and who never reads is given up.
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGzip } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basicResources, eventually, startGateway, type Resources, type TestGateway } from '../harness/gateway.ts';
import { turn } from './claude-code.ts';
import { open } from './http-client.ts';

const EVENT = Buffer.from(`event: content_block_delta\ndata: {"type":"x","pad":"${'z'.repeat(65_000)}"}\n\n`);
/** Far more than the buffers of two local connections hold. */
const EVENTS = 800;
const TOTAL = EVENT.length * EVENTS;
/** What the kernel may take on both connections, and some for the processes. */
const HELD = 32 * 1024 * 1024;

let server: Server;
let gateway: TestGateway;
let resources: (streamIdle: string) => Resources;
let coding: 'gzip' | undefined;
/** Bytes of events taken from the upstream so far, and whether its connection is gone. */
let upstream = { sent: 0, closed: false };

beforeAll(async () => {
  server = createServer((request, response) => {
    const state = { sent: 0, closed: false };
    upstream = state;
    response.once('close', () => (state.closed = true));
    request.resume().once('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream', ...(coding && { 'content-encoding': coding }) });
      // Stored, not squeezed: the coder must carry the same amount of bytes.
      const sink = coding === undefined ? response : createGzip({ level: 0 });
      if (sink !== response) sink.pipe(response);
      const push = (): void => {
        while (state.sent < TOTAL) {
          state.sent += EVENT.length;
          if (!sink.write(EVENT)) return void sink.once('drain', push);
        }
        sink.end();
      };
      push();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  resources = (streamIdle) =>
    basicResources(`http://127.0.0.1:${port}`, { listen: { timeouts: { ping: '1h', streamIdle } } });
  gateway = await startGateway(resources('30s'));
});

afterAll(async () => {
  await gateway.close();
  server.closeAllConnections();
  await new Promise<unknown>((resolve) => server.close(resolve));
});

/** Waits until the upstream has stood still for a while, and tells how much it had sent. */
async function stalledAt(): Promise<number> {
  let last = -1;
  let since = performance.now();
  return eventually(() => {
    if (upstream.sent !== last) {
      last = upstream.sent;
      since = performance.now();
      return undefined;
    }
    return last > 0 && performance.now() - since > 150 ? last : undefined;
  });
}

describe.each([undefined, 'gzip'] as const)('upstream coding %s', (encoding) => {
  test('[API-02] a slow reader holds the upstream back and loses nothing', async () => {
    coding = encoding;
    gateway.reload(resources('30s'));
    const { response } = await open(gateway.url, { body: turn() });
    response.pause();
    expect(await stalledAt()).toBeLessThan(HELD);
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      hash.update(chunk);
    }
    expect(size).toBe(TOTAL);
    const expected = createHash('sha256');
    for (let i = 0; i < EVENTS; i += 1) expected.update(EVENT);
    expect(hash.digest('hex')).toBe(expected.digest('hex'));
  });

  test('a reader that never reads is given up after streamIdle, and its place is free', async () => {
    coding = encoding;
    gateway.reload(resources('300ms'));
    const { response } = await open(gateway.url, { body: turn() });
    response.on('error', () => undefined).pause();
    const id = response.headers['x-request-id'];
    expect(await gateway.record(({ request_id }) => request_id === id)).toMatchObject({ outcome: 'client_aborted' });
    await eventually(() => (upstream.closed ? true : undefined));
    expect(upstream.sent).toBeLessThan(TOTAL);
    expect(await (await fetch(gateway.metricsUrl)).text()).toMatch(/^portcullis_in_flight_upstream 0$/m);
    response.destroy();
  });
});
