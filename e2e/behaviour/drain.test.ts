// The end of a process: readiness goes first, no new connections, running answers finish, and what is still there at the limit is told.
import { afterEach, describe, expect, test } from 'vitest';
import { basicResources, CI_KEY, startGateway, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type Behaviour, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { begin, call, errorOf, messageBody, metric, metricBecomes } from './routing.ts';
import { openSocket, wireRequest } from './wire-client.ts';

let mock: MockAnthropic;
let gateway: TestGateway;

afterEach(() => mock.close());

async function start(drain: string, behaviour: Behaviour, limits: Record<string, unknown> = {}): Promise<void> {
  mock = await startMockAnthropic({ behave: () => behaviour });
  gateway = await startGateway(basicResources(mock.url, { listen: { limits, timeouts: { drain } } }));
}

const slow: Behaviour = { kind: 'events', count: 20, gapMs: 20 };
const endless: Behaviour = { kind: 'silence', afterEvents: 2 };

async function isRefused(): Promise<boolean> {
  return fetch(`${gateway.url}/healthz`).then(
    () => false,
    () => true,
  );
}

describe('within the limit', () => {
  test('[OPS-02] [ROUTE-24] not ready at once, closed to newcomers, while a running stream ends in full', async () => {
    await start('5s', slow);
    const running = begin(gateway, { stream: true });
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    expect(await metric(gateway, 'ready')).toBe(1);
    const closed = gateway.close();
    expect(await metric(gateway, 'ready')).toBe(0);
    expect(await isRefused()).toBe(true);
    expect(await metric(gateway, 'in_flight_upstream')).toBe(1);
    const answer = await running.answer;
    expect(answer.complete).toBe(true);
    expect(answer.body.toString()).toContain('event: message_stop');
    expect(answer.body.toString()).not.toContain('event: error');
    await closed;
    expect((await gateway.record(({ stream }) => stream === true))['outcome']).toBe('complete');
  });

  test('[OPS-02] a probe that still gets through is told: 503 draining', async () => {
    await start('5s', slow);
    const socket = openSocket(gateway.url);
    let text = '';
    const ended = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => (text += chunk.toString())).once('end', () => resolve());
    });
    const body = JSON.stringify(messageBody({ stream: true }));
    socket.write(wireRequest('POST', '/v1/messages', [`Authorization: Bearer ${CI_KEY}`], body));
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    const closed = gateway.close();
    socket.write(wireRequest('GET', '/readyz'));
    await ended;
    socket.destroy();
    expect(text).toMatch(/message_stop[^]*HTTP\/1\.1 503 [^]*"status":"draining"/);
    await closed;
  });

  test('[OPS-02] calls that wait for a place, or are still being sent, are served too', async () => {
    await start('5s', slow, { maxConcurrentUpstream: 1, maxQueued: 5 });
    const running = begin(gateway, { stream: true });
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    const waiting = begin(gateway, { stream: true });
    await metricBecomes(gateway, 'queued', 1);
    const upload = openSocket(gateway.url);
    let text = '';
    const uploaded = new Promise<void>((resolve) => {
      upload.on('data', (chunk: Buffer) => (text += chunk.toString())).once('end', () => resolve());
      upload.once('close', () => resolve());
    });
    const whole = wireRequest(
      'POST',
      '/v1/messages',
      [`Authorization: Bearer ${CI_KEY}`],
      JSON.stringify(messageBody()),
    );
    upload.write(whole.subarray(0, -10));
    await new Promise((resolve) => setTimeout(resolve, 20));

    const closed = gateway.close();
    expect((await running.answer).body.toString()).toContain('message_stop');
    expect((await waiting.answer).body.toString()).toContain('message_stop');
    // Longer than anything but the limit itself would wait for a call nobody knows of.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    upload.write(whole.subarray(-10));
    await uploaded;
    upload.destroy();
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    await closed;
  });

  test('[OPS-02] nothing to wait for: gone at once, idle connections included', async () => {
    await start('60s', { kind: 'text' });
    const idle = openSocket(gateway.url);
    idle.write(wireRequest('GET', '/healthz'));
    await new Promise((resolve) => idle.once('data', resolve));
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    const started = performance.now();
    await gateway.close();
    expect(performance.now() - started).toBeLessThan(1_500);
    idle.destroy();
  });
});

describe('at the limit', () => {
  test('[ERR-09] [ERR-17] a stream ends with an error event that invites to try again, not with a reset', async () => {
    await start('200ms', endless);
    const running = begin(gateway, { stream: true });
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    await expect.poll(() => mock.received()).toBe(1);
    const started = performance.now();
    const closed = gateway.close();
    const answer = await running.answer;
    expect(performance.now() - started).toBeGreaterThanOrEqual(199);
    expect(answer.complete).toBe(true);
    const last = answer.body.toString().trimEnd().split('\n\n').at(-1)!;
    expect(last).toMatch(/^event: error\ndata: \{/);
    expect(JSON.parse(last.slice(last.indexOf('{')))).toEqual({
      type: 'error',
      error: { type: 'overloaded_error', message: 'the gateway is shutting down: try again' },
      request_id: answer.headers['x-request-id'],
    });
    expect(await mock.requests[0]!.ended).toBe('aborted');
    await closed;
    expect(gateway.audit.at(-1)).toMatchObject({ outcome: 'drained', status: 200 });
  });

  test('[ERR-07] [ERR-17] a call without headers yet, and one in the queue: 529, retryable', async () => {
    await start('200ms', { kind: 'hang' }, { maxConcurrentUpstream: 1, maxQueued: 5 });
    const running = begin(gateway);
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    const waiting = begin(gateway);
    await metricBecomes(gateway, 'queued', 1);
    const closed = gateway.close();
    for (const { answer } of [running, waiting]) {
      const told = await answer;
      expect([told.status, errorOf(told).error.type]).toEqual([529, 'overloaded_error']);
      expect(told.headers['retry-after']).toBe('1');
      expect(told.headers['x-should-retry']).toBeUndefined();
    }
    expect(mock.received()).toBe(1);
    await closed;
  });

  test('[ERR-07] a call that is still being sent: 529', async () => {
    await start('200ms', { kind: 'text' });
    const upload = openSocket(gateway.url);
    let text = '';
    const ended = new Promise<void>((resolve) => {
      upload.on('data', (chunk: Buffer) => (text += chunk.toString())).once('end', () => resolve());
      upload.once('close', () => resolve());
    });
    upload.write('POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n');
    upload.write(`Authorization: Bearer ${CI_KEY}\r\n\r\n{"model"`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = gateway.close();
    await ended;
    upload.destroy();
    expect(text).toMatch(/^HTTP\/1\.1 529 [^]*overloaded_error/);
    await closed;
  });

  test('[OPS-02] a client that takes nothing does not hold the process up', async () => {
    await start('100ms', { kind: 'events', count: 100_000, gapMs: 0, delta: 'x'.repeat(10_000) });
    const socket = openSocket(gateway.url);
    const body = JSON.stringify(messageBody({ stream: true }));
    socket.pause();
    socket.write(wireRequest('POST', '/v1/messages', [`Authorization: Bearer ${CI_KEY}`], body));
    await metricBecomes(gateway, 'in_flight_upstream', 1);
    const started = performance.now();
    await gateway.close();
    expect(performance.now() - started).toBeLessThan(3_000);
    socket.destroy();
  });
});

test('[ROUTE-24] a stream goes on under the configuration it began with, newcomers use the new one', async () => {
  await start('0s', slow);
  const other = await startMockAnthropic();
  const running = begin(gateway, { stream: true });
  await metricBecomes(gateway, 'in_flight_upstream', 1);
  gateway.reload(basicResources(other.url, { paused: false, listen: { limits: { maxBodyBytes: '1Ki' } } }));
  expect((await call(gateway)).status).toBe(200);
  expect([mock.received(), other.received()]).toEqual([1, 1]);
  gateway.reload(basicResources(other.url, { paused: true }));
  expect((await call(gateway)).status).toBe(503);
  const answer = await running.answer;
  expect(answer.body.toString()).toContain('event: message_stop');
  expect(answer.body.toString()).not.toContain('event: error');
  await gateway.record(({ stream }) => stream === true);
  const revisions = gateway.audit.map(({ revision }) => revision);
  expect(new Set(revisions).size).toBe(3);
  await gateway.close();
  await other.close();
});
