// Request bodies, Anthropic to Anthropic: what a client sends is what the upstream gets, byte for byte; a name of the platform team's own
// changes the model and nothing else; compressed bodies are unpacked within bounds.
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bodyOf } from '../bench/bodies.ts';
import { basicResources, policy, startGateway, upstream, withObjects, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { ATTRIBUTION, quotaProbe, turn } from './claude-code.ts';
import { headersWith, send } from './http-client.ts';

const MAX_BODY = 256 * 1024;

let mock: MockAnthropic;
let gateway: TestGateway;

beforeAll(async () => {
  mock = await startMockAnthropic();
  const base = basicResources(mock.url, {
    listen: { limits: { maxBodyBytes: '256Ki' } },
    models: { entries: [{ id: 'house-best', target: 'claude-opus-5-5' }] },
  });
  gateway = await startGateway(
    withObjects(base, [
      upstream('anthropic', mock.url, { models: [{ id: 'claude-haiku-5-5', upstreamId: 'haiku-of-ours/v2' }] }),
      policy('everyone', { match: { everyone: {} } }),
    ]),
  );
});

afterAll(async () => {
  await gateway.close();
  await mock.close();
});

const lastBody = (): string => mock.requests.at(-1)!.body.toString();

describe('the same model', () => {
  test.each<[string, string | Buffer]>([
    [
      'odd spacing, number forms and escapes',
      '{ "model" : "claude-sonnet-4-6",\n\t"max_tokens":1.0e0, "x_future":"\\u0041\\/", "messages":[ {"role":"user","content":"h\\u00ef"} ] }\n',
    ],
    ['keys in any order, model last', '{"messages":[],"stream":false,"max_tokens":1,"model":"claude-sonnet-4-6"}'],
    ['a model spelt with escapes', '{"model":"claude\\u002dsonnet-4-6","max_tokens":1,"messages":[]}'],
    [
      'names of ours inside of messages',
      '{"messages":[{"model":"x","model":"y"}],"max_tokens":1,"model":"claude-sonnet-4-6"}',
    ],
    ['a repeated key of no meaning to us', '{"x":1,"x":2,"model":"claude-sonnet-4-6","max_tokens":1,"messages":[]}'],
    [
      'characters beyond ASCII and a lone surrogate',
      '{"model":"claude-sonnet-4-6","a":"\u{1f600}\\ud800\u2028","messages":[]}',
    ],
    ['numbers no double holds', '{"model":"claude-sonnet-4-6","n":12345678901234567890123,"messages":[]}'],
    ['a whole turn of 87 KB', bodyOf('turn')],
  ])('[XLAT-01] %s: not a byte is changed', async (_name, body) => {
    const answer = await send(gateway.url, { body });
    expect(answer.status).toBe(200);
    const { body: got, headers } = mock.requests.at(-1)!;
    expect(got.equals(Buffer.from(body))).toBe(true);
    expect(headers['content-length']).toBe(String(got.length));
    expect(headers['transfer-encoding']).toBeUndefined();
  });

  test('[XLAT-02] [API-12] every field of the client and fields nobody knows yet arrive as they were', async () => {
    const body = turn();
    expect((await send(gateway.url, { body })).status).toBe(200);
    expect(lastBody()).toBe(JSON.stringify(body));
    expect(mock.requests.at(-1)!.json()).toMatchObject({
      context_management: { edits: [{ type: 'clear_thinking_20251015' }] },
      output_config: { effort: 'high' },
      thinking: { type: 'adaptive' },
      tools: [{ strict: true }, { defer_loading: true }],
      safeguards: [{ type: 'dangerous_tool_use' }],
      not_invented_yet: { deep: [1, 2, null] },
    });
  });

  test.each(['claude-sonnet-4-6', 'house-best'])(
    '[XLAT-03] system with %s: the attribution stays first and alone, nothing is put before it',
    async (model) => {
      const body = turn({ model });
      await send(gateway.url, { body });
      const { system } = mock.requests.at(-1)!.json()!;
      expect(system).toEqual(body['system']);
      expect((system as { text: string }[])[0]).toEqual({ type: 'text', text: ATTRIBUTION });
    },
  );

  test('[XLAT-03] no system stays no system', async () => {
    await send(gateway.url, { body: quotaProbe });
    expect(lastBody()).toBe(JSON.stringify(quotaProbe));
  });

  test.each([
    ['/v1/messages', ''],
    ['/v1/messages?beta=true', '?beta=true'],
    ['/v1/messages?beta=true&future=%20x&beta=2', '?beta=true&future=%20x&beta=2'],
    ['/v1/messages?', '?'],
  ])('[API-01] matched by path only, the query goes along: %s', async (path, search) => {
    expect((await send(gateway.url, { path, body: quotaProbe })).status).toBe(200);
    expect(mock.requests.at(-1)!.url).toBe(`/v1/messages${search}`);
  });

  test.each([
    [false, 'application/json'],
    [true, 'text/event-stream; charset=utf-8'],
  ])('[API-01] stream %s is answered as %s', async (stream, type) => {
    const answer = await send(gateway.url, { body: turn({ stream }) });
    expect(answer.headers['content-type']).toBe(type);
    expect(await gateway.record(({ request_id }) => request_id === answer.headers['x-request-id'])).toMatchObject({
      stream,
    });
  });

  test('[API-03] a token count goes to the path for counts, body and query as received', async () => {
    const body = '{ "model":"claude-sonnet-4-6", "messages":[{"role":"user","content":"…"}], "tools":[] }';
    const answer = await send(gateway.url, { path: '/v1/messages/count_tokens?beta=true', body });
    expect(JSON.parse(answer.body.toString())).toEqual({ input_tokens: Math.ceil(Buffer.byteLength(body) / 4) });
    expect(mock.requests.at(-1)!.url).toBe('/v1/messages/count_tokens?beta=true');
    expect(lastBody()).toBe(body);
    const record = await gateway.record(({ request_id }) => request_id === answer.headers['x-request-id']);
    expect(record).toMatchObject({ endpoint: '/v1/messages/count_tokens', status: 200 });
    expect(record['cost_usd']).toBeUndefined();
  });

  test('[API-03] thirty-three counts at once are all answered', async () => {
    const body = { model: 'claude-sonnet-4-6', messages: [] };
    const ask = () => send(gateway.url, { path: '/v1/messages/count_tokens', body });
    const answers = await Promise.all(Array.from({ length: 33 }, ask));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 33 }, () => 200));
  });
});

describe('another name of the model', () => {
  test.each([
    ['a name of the platform team', 'house-best', 'claude-opus-5-5'],
    ['a name the upstream maps', 'claude-haiku-5-5', 'haiku-of-ours/v2'],
    ['upper case', 'CLAUDE-SONNET-4-6', 'claude-sonnet-4-6'],
  ])('[XLAT-01] %s: only the value of model changes', async (_name, sent, asked) => {
    const around = (model: string): string =>
      `{ "x":1.0,"x":2,\n"\\u006dessages":[{"model":"${sent}"}] , "model" : "${model}"  ,"max_tokens":1e0,"stream":false , "z":"\\/"}`;
    expect((await send(gateway.url, { body: around(sent) })).status).toBe(200);
    expect(lastBody()).toBe(around(asked));
    expect(mock.requests.at(-1)!.headers['content-length']).toBe(String(around(asked).length));
  });
});

describe('a body that parsers read differently', () => {
  test.each([
    ['model', '{"model":"claude-sonnet-4-6","model":"claude-opus-5-5"}'],
    ['model', '{"model":"claude-sonnet-4-6","mo\\u0064el":"claude-opus-5-5"}'],
    ['stream', '{"stream":true,"model":"claude-sonnet-4-6","stream":false}'],
    ['max_tokens', '{"max_tokens":1,"max_tokens":2,"model":"claude-sonnet-4-6"}'],
    ['speed', '{"speed":"standard","speed":"fast","model":"claude-sonnet-4-6"}'],
    ['Model', '{"model":"claude-sonnet-4-6","Model":"claude-opus-5-5"}'],
  ])('[XLAT-01] %s twice: refused, never forwarded', async (field, body) => {
    const before = mock.received();
    const answer = await send(gateway.url, { body });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      error: { type: 'invalid_request_error', message: expect.stringContaining(`"${field}"`) as string },
    });
    expect(mock.received()).toBe(before);
  });
});

describe('a compressed body', () => {
  const plain = Buffer.from(JSON.stringify(turn({ stream: false })));
  const codings = [
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const;

  test.each(codings)('[XLAT-04] %s reaches the upstream in the clear, without its coding', async (coding, compress) => {
    const answer = await send(gateway.url, {
      headers: headersWith({ 'Content-Encoding': coding }),
      body: compress(plain),
    });
    expect(answer.status).toBe(200);
    const { body, headers } = mock.requests.at(-1)!;
    expect(body.equals(plain)).toBe(true);
    expect(headers['content-encoding']).toBeUndefined();
    expect(headers['content-length']).toBe(String(plain.length));
  });

  test('a name of the platform team is replaced in the unpacked body', async () => {
    const body = gzipSync('{"model":"house-best","max_tokens":1}');
    await send(gateway.url, { headers: headersWith({ 'Content-Encoding': 'gzip' }), body });
    expect(lastBody()).toBe('{"model":"claude-opus-5-5","max_tokens":1}');
  });

  test.each(codings)('%s that grows beyond the limit is refused without being forwarded', async (coding, compress) => {
    const before = mock.received();
    const bomb = compress(Buffer.concat([plain.subarray(0, -1), Buffer.alloc(64 * MAX_BODY, 0x20), Buffer.from('}')]));
    expect(bomb.length).toBeLessThan(MAX_BODY);
    const answer = await send(gateway.url, { headers: headersWith({ 'Content-Encoding': coding }), body: bomb });
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { type: 'request_too_large' } });
    expect(mock.received()).toBe(before);
  });

  test.each([
    ['unknown coding', 'snappy', plain, 415],
    ['two codings', 'gzip, gzip', gzipSync(gzipSync(plain)), 415],
    ['not what it says', 'gzip', plain, 400],
    ['cut short', 'gzip', gzipSync(plain).subarray(0, -9), 400],
    ['empty', 'gzip', Buffer.alloc(0), 400],
    ['identity', 'identity', plain, 200],
  ])('%s', async (_name, coding, body, status) => {
    const answer = await send(gateway.url, { headers: headersWith({ 'Content-Encoding': coding }), body });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ type: status === 200 ? 'message' : 'error' });
  });

  test('exactly the limit passes, one byte more does not', async () => {
    const sized = (length: number): string => {
      const body = (pad: string): string => JSON.stringify({ model: 'claude-sonnet-4-6', pad, messages: [] });
      return body('x'.repeat(length - body('').length));
    };
    expect((await send(gateway.url, { body: sized(MAX_BODY) })).status).toBe(200);
    expect((await send(gateway.url, { body: sized(MAX_BODY + 1) })).status).toBe(413);
  });
});
