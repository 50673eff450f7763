// Connections to upstreams as they age: calls share them, and a name that moves to another address is followed although its connections are
// never idle. Two servers on one port stand for the old address and the new; only the resolver is the test's.
import dns from 'node:dns';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { freePort } from '../harness/free-port.ts';
import { basicResources, startGateway, type TestGateway } from '../harness/gateway.ts';
import { turn } from './claude-code.ts';
import { open, read, readUntil, send } from './http-client.ts';

const NAME = 'provider.test';
const OLD = '127.0.0.1';
const NEW = '127.0.0.2';

interface Place {
  readonly address: string;
  calls: number;
  connections: number;
  /** Streams that stay open until a test ends them. */
  readonly streams: ServerResponse[];
  readonly server: Server;
}

let places: Record<string, Place>;
let port: number;
let leadsTo: string;
let gateway: TestGateway;

async function startPlace(address: string): Promise<Place> {
  const server = createServer((incoming, answer) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.once('end', () => {
      place.calls += 1;
      const { stream } = JSON.parse(Buffer.concat(chunks).toString()) as { stream?: boolean };
      if (stream === true) {
        answer.writeHead(200, { 'content-type': 'text/event-stream' });
        answer.write(`event: ping\ndata: {"type":"ping","from":"${address}"}\n\n`);
        place.streams.push(answer);
      } else {
        answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ type: 'message', address }));
      }
    });
  });
  const place: Place = { address, calls: 0, connections: 0, streams: [], server };
  server.on('connection', () => (place.connections += 1));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, address, resolve));
  return place;
}

beforeEach(async () => {
  port = await freePort();
  places = { [OLD]: await startPlace(OLD), [NEW]: await startPlace(NEW) };
  leadsTo = OLD;
  const real = dns.lookup;
  vi.spyOn(dns, 'lookup').mockImplementation(((name: string, options: dns.LookupAllOptions, done: LookupDone) => {
    if (name !== NAME) return real(name, options, done);
    if (options.all) done(null, [{ address: leadsTo, family: 4 }]);
    else (done as unknown as (error: null, address: string, family: number) => void)(null, leadsTo, 4);
  }) as typeof dns.lookup);
});

afterEach(async () => {
  await gateway.close();
  vi.restoreAllMocks();
  for (const { server } of Object.values(places)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

type LookupDone = (error: NodeJS.ErrnoException | null, addresses: dns.LookupAddress[]) => void;

const start = async (reconnect?: string): Promise<void> => {
  gateway = await startGateway(
    basicResources(`http://${NAME}:${port}`, { listen: { timeouts: reconnect === undefined ? {} : { reconnect } } }),
  );
};

/** Asks one call after the other, each at the heels of the one before, and says where they were answered. */
async function ask(during: number): Promise<string[]> {
  const answeredBy: string[] = [];
  for (const until = performance.now() + during; performance.now() < until;) {
    const { status, body } = await send(gateway.url, { body: turn({ stream: false }) });
    expect(status).toBe(200);
    answeredBy.push((JSON.parse(body.toString()) as { address: string }).address);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return answeredBy;
}

describe('[OPS-31] a name that moves to another address', () => {
  test('is followed within the configured time by connections that are never idle; streams finish where they are', async () => {
    await start('1s');
    const { response } = await open(gateway.url, { body: turn() });
    await readUntil(response, 'ping');
    expect(new Set(await ask(300))).toEqual(new Set([OLD]));
    leadsTo = NEW;
    const moved = performance.now();
    while ((await ask(50)).includes(OLD)) expect(performance.now() - moved).toBeLessThan(2_000);
    expect(new Set(await ask(1_500))).toEqual(new Set([NEW]));

    const [stream] = places[OLD]!.streams;
    expect(stream!.destroyed).toBe(false);
    stream!.end('event: message_stop\ndata: {"type":"message_stop"}\n\n');
    expect((await read(response)).body.toString()).toContain('message_stop');
  });

  test('goes unnoticed until then: connections are kept', async () => {
    await start('1h');
    await ask(100);
    leadsTo = NEW;
    expect(new Set(await ask(1_500))).toEqual(new Set([OLD]));
    expect(places[NEW]!.connections).toBe(0);
    expect(places[OLD]!.calls).toBeGreaterThan(20);
    expect(places[OLD]!.connections).toBe(1);
  });
});

test('[OPS-31] a forward proxy that moves is followed in the same way', async () => {
  const proxied = basicResources('http://upstream.test', {
    listen: { timeouts: { reconnect: '1s' } },
    proxy: { url: `http://${NAME}:${port}` },
  });
  gateway = await startGateway(proxied);
  expect(new Set(await ask(100))).toEqual(new Set([OLD]));
  leadsTo = NEW;
  await ask(1_200);
  expect(new Set(await ask(100))).toEqual(new Set([NEW]));
  expect(places[OLD]!.calls).toBeGreaterThan(places[OLD]!.connections);
});

test('[OPS-31] without a word on it connections are kept for minutes, and no longer than that', async () => {
  await start();
  await ask(50);
  leadsTo = NEW;
  const real = Date.now;
  const ahead = vi.spyOn(Date, 'now');
  ahead.mockImplementation(() => real() + 4 * 60_000);
  expect(new Set(await ask(50))).toEqual(new Set([OLD]));
  ahead.mockImplementation(() => real() + 5 * 60_000 + 1_000);
  expect(new Set(await ask(50))).toEqual(new Set([NEW]));
});
