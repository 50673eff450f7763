// The gateway's own ping: fills silence, stands between events only, and leaves what the upstream sends untouched.
import { constants, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basicResources, startGateway, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type Behaviour, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { turn } from './claude-code.ts';
import { open, readUntil, send } from './http-client.ts';

const PING = 'event: ping\ndata: {"type": "ping"}\n\n';
const START =
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n\n';
const DELTA =
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\u00e9"}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

let mock: MockAnthropic;
let gateway: TestGateway;

beforeAll(async () => {
  mock = await startMockAnthropic();
  gateway = await startGateway(
    basicResources(mock.url, { listen: { timeouts: { ping: '100ms', streamIdle: '1500ms' } } }),
  );
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

function chunks(gapMs: number, ...parts: (string | Buffer)[]): Behaviour {
  return { kind: 'raw', status: 200, headers: { 'content-type': 'text/event-stream' }, chunks: parts, gapMs };
}

async function streamed(behaviour: Behaviour): Promise<string> {
  mock.behave(() => behaviour);
  return (await send(gateway.url, { body: turn() })).body.toString();
}

const pings = (text: string): number => text.split(PING).length - 1;

test('[XLAT-07] silence between events is filled with pings in the spelling of the provider', async () => {
  const text = await streamed(chunks(450, START, DELTA + STOP));
  expect(pings(text)).toBeGreaterThanOrEqual(2);
  expect(text.replaceAll(PING, '')).toBe(START + DELTA + STOP);
  expect(text.startsWith(START)).toBe(true);
});

test('[XLAT-07] silence before the first event is filled as well', async () => {
  mock.behave(() => ({ ...chunks(0), keepOpen: true }) as Behaviour);
  const { request, response } = await open(gateway.url, { body: turn() });
  const first = await new Promise<Buffer>((resolve) => response.once('data', resolve));
  expect(first.toString()).toBe(PING);
  request.destroy();
});

test('[XLAT-07] a stream that keeps moving gets none, nor does one that pings by itself', async () => {
  const own = Array.from({ length: 8 }, () => PING);
  expect(await streamed(chunks(40, START, ...own, STOP))).toBe(START + own.join('') + STOP);
});

test('[XLAT-07] never inside of an event, wherever the silence falls', async () => {
  const bytes = Buffer.from(DELTA);
  const places = {
    'within the name of a field': 3,
    'within the name of an event': 'event: content_bl'.length,
    'behind the name of an event': 'event: content_block_delta'.length,
    'between lines': 'event: content_block_delta\n'.length,
    'within the name of the second field': 'event: content_block_delta\nda'.length,
    'within data': 60,
    'within a character': bytes.indexOf(0xc3) + 1,
    'behind data': bytes.length - 2,
    'between the two line ends': bytes.length - 1,
  };
  mock.behave(({ url }) => {
    const at = Number(new URL(url, mock.url).searchParams.get('at'));
    return chunks(350, START, bytes.subarray(0, at), bytes.subarray(at), STOP);
  });
  await Promise.all(
    Object.entries(places).map(async ([place, at]) => {
      const answer = await send(gateway.url, { path: `/v1/messages?at=${at}`, body: turn() });
      const text = answer.body.toString();
      const [before, behind] = text.split(DELTA);
      // Pings came before and behind the event, none within.
      expect({
        place,
        event: text.replaceAll(PING, '') === START + DELTA + STOP && behind !== undefined,
        before: pings(before ?? '') > 0,
        behind: pings(behind ?? '') > 0,
      }).toEqual({ place, event: true, before: true, behind: true });
    }),
  );
});

test('[XLAT-07] no ping in a plain answer, however slow', async () => {
  const body = '{"type":"message","usage":{"input_tokens":1,"output_tokens":1}}';
  mock.behave(() => ({
    kind: 'raw',
    status: 200,
    headers: { 'content-type': 'application/json' },
    chunks: [body.slice(0, 10), body.slice(10)],
    gapMs: 400,
  }));
  const answer = await send(gateway.url, { body: turn({ stream: false }) });
  expect(answer.body.toString()).toBe(body);
});

test('[XLAT-07] [XLAT-27] pings reach the client of a silent compressed stream', async () => {
  // Flushed, not finished: what an upstream has sent of a stream that goes on.
  const begun = gzipSync(START, { finishFlush: constants.Z_SYNC_FLUSH });
  const headers = { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' };
  mock.behave(() => ({ kind: 'raw', status: 200, headers, chunks: [begun], gapMs: 0, keepOpen: true }));
  const { request, response } = await open(gateway.url, { body: turn() });
  expect(await readUntil(response, PING + PING)).toBe(START + PING + PING);
  request.destroy();
});

describe('pings and the end', () => {
  test('[XLAT-07] pings do not keep a dead upstream alive', async () => {
    mock.behave(() => ({ kind: 'silence', afterEvents: 2 }));
    const text = (await send(gateway.url, { body: turn() })).body.toString();
    expect(pings(text)).toBeGreaterThan(3);
    expect(text).toMatch(/event: error\ndata: .*timeout_error.*\n\n$/);
  });

  test('[XLAT-07] a length announced by the upstream does not cut a stream that pings made longer', async () => {
    const parts = [START, DELTA + STOP];
    mock.behave(() => ({
      kind: 'raw',
      status: 200,
      headers: { 'content-type': 'text/event-stream', 'content-length': String(Buffer.byteLength(parts.join(''))) },
      chunks: parts,
      gapMs: 400,
    }));
    const answer = await send(gateway.url, { body: turn() });
    expect(answer.complete).toBe(true);
    expect(pings(answer.body.toString())).toBeGreaterThan(0);
    expect(answer.body.toString().replaceAll(PING, '')).toBe(parts.join(''));
  });
});
