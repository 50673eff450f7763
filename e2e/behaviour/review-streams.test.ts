// Translated streams under stress: frames in, frames out, with a reader that takes its time, a compressing upstream, a drain in
// the middle, and errors that speak of somebody's account.
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGzip } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BedrockStreamEncoder } from '#dataplane/providers/bedrock-stream-encoder.ts';
import {
  basicResources,
  eventually,
  object,
  startGateway,
  withObjects,
  type Resources,
  type TestGateway,
} from '../harness/gateway.ts';
import { LEAKS, PLANTED_TEXT } from '../harness/providers/accounts.ts';
import { mockCloudSecrets } from '../harness/providers/mock-clouds.ts';
import { EVERY_DIALECT, formatOf } from './dialects.ts';
import { open, read } from './http-client.ts';
import { ask, closeCloud, openCloud } from './providers-scene.ts';
import { allPlacesFree, callerHeaders } from './routing.ts';

const DATA = `{"type":"content_block_delta","delta":{"type":"text_delta","text":"${'z'.repeat(60_000)}"}}`;
const FRAME = Buffer.from(new BedrockStreamEncoder().push(Buffer.from(`data: ${DATA}\n\n`)));
const FRAMES = 700;
/** What the kernel may take on both connections, and some for the processes. */
const HELD = 32 * 1024 * 1024;

let server: Server;
let gateway: TestGateway;
let coding: 'gzip' | undefined;
let upstream = { sent: 0, closed: false };

function resources(): Resources {
  const { port } = server.address() as AddressInfo;
  const base = basicResources('http://127.0.0.1:9', {
    dialects: EVERY_DIALECT,
    listen: { timeouts: { ping: '1h', streamIdle: '30s' } },
  });
  const objects = base.objects.filter(({ kind }) => kind !== 'Upstream');
  const bedrock = object('Upstream', 'bedrock', {
    provider: 'Bedrock',
    baseUrl: `http://127.0.0.1:${port}`,
    bedrock: {
      region: 'us-east-1',
      auth: { type: 'BearerToken', bearerToken: { name: 'mock-clouds', key: 'aws-bearer' } },
    },
  });
  return withObjects({ ...base, objects }, [bedrock], mockCloudSecrets());
}

beforeAll(async () => {
  server = createServer((request, response) => {
    const state = { sent: 0, closed: false };
    upstream = state;
    response.once('close', () => (state.closed = true));
    request.resume().once('end', () => {
      const type = { 'content-type': 'application/vnd.amazon.eventstream' };
      response.writeHead(200, { ...type, ...(coding && { 'content-encoding': coding }) });
      const sink = coding === undefined ? response : createGzip({ level: 0 });
      if (sink !== response) sink.pipe(response);
      const push = (): void => {
        while (state.sent < FRAMES) {
          state.sent += 1;
          if (!sink.write(FRAME)) return void sink.once('drain', push);
        }
        sink.end();
      };
      push();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gateway = await startGateway(resources());
});

afterAll(async () => {
  await gateway.close();
  server.closeAllConnections();
  await new Promise<unknown>((resolve) => server.close(resolve));
});

async function stalledAt(): Promise<number> {
  let last = -1;
  let since = performance.now();
  return eventually(() => {
    if (upstream.sent !== last) {
      last = upstream.sent;
      since = performance.now();
      return undefined;
    }
    return last > 0 && performance.now() - since > 150 ? last * FRAME.length : undefined;
  });
}

const { stream, body } = formatOf('Bedrock');
const begin = () => open(gateway.url, { path: stream, headers: callerHeaders(), body: body(true) });

describe.each([undefined, 'gzip'] as const)('frames to frames, upstream coding %s', (encoding) => {
  test('[API-02] [XLAT-07] a slow reader holds the upstream back and loses nothing', async () => {
    coding = encoding;
    const { response } = await begin();
    response.pause();
    expect(await stalledAt()).toBeLessThan(HELD);
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      hash.update(chunk);
    }
    expect(size).toBe(FRAMES * FRAME.length);
    const expected = createHash('sha256');
    for (let i = 0; i < FRAMES; i += 1) expected.update(FRAME);
    expect(hash.digest('hex')).toBe(expected.digest('hex'));
  });

  test('[ROUTE-23] a slow reader that leaves gives up its place and the upstream connection', async () => {
    coding = encoding;
    const { request, response } = await begin();
    response.pause();
    await stalledAt();
    request.destroy();
    await eventually(() => upstream.closed || undefined);
    await allPlacesFree(gateway);
  });
});

test('[ROUTE-24] [ERR-17] a Bedrock stream that outlasts the drain ends with an exception that invites to try again', async () => {
  const listen = { timeouts: { drain: '200ms' } };
  const scene = await openCloud('Bedrock', { gatewaySpec: { dialects: EVERY_DIALECT, listen } });
  scene.cloud.behave(() => ({ kind: 'silence', afterEvents: 4 }));
  const { response } = await open(scene.gateway.url, { path: stream, headers: callerHeaders(), body: body(true) });
  const answer = read(response);
  await closeCloud(scene);
  const { body: frames, complete } = await answer;
  expect(complete).toBe(true);
  expect(frames.toString('latin1')).toMatch(/serviceUnavailableException.*the gateway is shutting down: try again/s);
});

test.each(['AnthropicCompatible', 'Foundry', 'Vertex', 'BedrockMantle', 'ClaudePlatformAWS', 'Bedrock'] as const)(
  '[PROV-21] an error in the midst of a stream of %s names no account',
  async (family) => {
    const scene = await openCloud(family);
    try {
      scene.cloud.behave(() => ({ kind: 'error-event', afterEvents: 4, message: PLANTED_TEXT }));
      const answer = (await ask(scene, { stream: true })).body.toString();
      expect(answer).toContain('event: error');
      for (const leak of LEAKS) expect(answer).not.toContain(leak);
    } finally {
      await closeCloud(scene);
    }
  },
);
