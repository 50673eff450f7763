// The tap must change nothing: neither bytes nor the moment at which one side learns that the other is gone.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { startTap, type Tap } from './tap.ts';

let server: Server;
let tap: Tap;

afterEach(async () => {
  await tap.close();
  server.closeAllConnections();
  await new Promise<unknown>((resolve) => server.close(resolve));
});

async function serve(handler: Parameters<typeof createServer>[1], socketPath?: string): Promise<void> {
  server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  tap = await startTap(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, socketPath);
}

test('forwards and remembers both directions', async () => {
  await serve((incoming, response) => incoming.pipe(response.writeHead(201, { 'X-Case': 'Kept' })));
  for (const body of ['one', 'two'.repeat(100_000)]) {
    const answer = await request(`${tap.url}/p?q`, { method: 'PUT', body });
    expect(await answer.body.text()).toBe(body);
  }
  const [first, second] = tap.exchanges();
  expect(first?.request.startLine).toBe('PUT /p?q HTTP/1.1');
  expect(first?.response?.rawHeaders).toContain('X-Case');
  expect(first?.response?.body.toString()).toBe('one');
  expect(second?.request.body.length).toBe(300_000);
  expect(second?.response).toMatchObject({ startLine: 'HTTP/1.1 201 Created', complete: true });
});

test('lists requests in the order in which they began, whatever connection they took', async () => {
  await serve((incoming, response) => response.end(incoming.url));
  const [one, two] = [new Agent(), new Agent()];
  for (const [dispatcher, path] of [
    [one, '/1'],
    [two, '/2'],
    [one, '/3'],
    [two, '/4'],
  ] as const)
    await (await request(tap.url + path, { dispatcher })).body.dump();
  expect(tap.exchanges().map(({ response }) => response?.body.toString())).toEqual(['/1', '/2', '/3', '/4']);
  await Promise.all([one.close(), two.close()]);
});

test('a client that leaves is gone on the other side', async () => {
  const left = Promise.withResolvers<void>();
  await serve((_incoming, response) => {
    response.writeHead(200).flushHeaders();
    response.once('close', () => left.resolve());
  });
  const abort = new AbortController();
  await request(tap.url, { signal: abort.signal });
  abort.abort();
  await left.promise;
  expect(tap.exchanges()[0]?.response?.complete).toBe(false);
});

test('a server that breaks the connection breaks it for the client', async () => {
  await serve((_incoming, response) => {
    response.writeHead(200, { 'content-length': 10 }).write('abc', () => response.destroy());
  });
  const answer = await request(tap.url);
  await expect(answer.body.text()).rejects.toThrow(/other side closed|terminated|aborted/);
});

test('listens on a Unix socket as well', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-tap-'));
  try {
    await serve((_incoming, response) => response.end('here'), join(folder, 'tap.sock'));
    const dispatcher = new Agent({ connect: { socketPath: join(folder, 'tap.sock') } });
    const answer = await request('http://any', { dispatcher });
    expect(await answer.body.text()).toBe('here');
    await dispatcher.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
