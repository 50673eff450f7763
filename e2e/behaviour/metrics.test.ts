// The metrics page against what was really sent: every figure from calls whose number, tokens and cost are known.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basicResources, startGateway, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { turn } from './claude-code.ts';
import { headersWith, open, readUntil, send, type Answer } from './http-client.ts';

let mock: MockAnthropic;
let gateway: TestGateway;

beforeAll(async () => {
  mock = await startMockAnthropic();
});

afterAll(async () => {
  await mock.close();
});

/** Samples of the page by name with sorted labels; histograms give `_count`, `_sum` and buckets. */
async function samples(): Promise<Map<string, number>> {
  const text = await (await fetch(gateway.metricsUrl)).text();
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^(portcullis_\w+?)(?:\{(.*)\})? ([-0-9.e+]+)$/.exec(line);
    if (match !== null)
      found.set(
        `${match[1]} ${[...(match[2] ?? '').matchAll(/\w+="[^"]*"/g)].flat().sort().join(' ')}`.trim(),
        Number(match[3]),
      );
  }
  return found;
}

async function start(spec: Record<string, unknown> = {}): Promise<void> {
  gateway = await startGateway(basicResources(mock.url, spec));
}

async function settled(...answers: Answer[]): Promise<void> {
  for (const { headers } of answers) await gateway.record(({ request_id }) => request_id === headers['x-request-id']);
}

describe('figures', () => {
  beforeAll(() => start());
  afterAll(() => gateway.close());

  test('[TELE-10] requests, tokens, cost, latency and first byte of known calls', async () => {
    mock.behave(() => ({
      kind: 'text',
      usage: {
        input_tokens: 10,
        output_tokens: 20,
        cache_read_input_tokens: 30,
        cache_creation_input_tokens: 90,
        cache_creation: { ephemeral_5m_input_tokens: 40, ephemeral_1h_input_tokens: 50 },
      },
      delayMs: 30,
    }));
    const asks = Array.from({ length: 3 }, () => send(gateway.url, { body: turn({ model: 'claude-opus-5-5' }) }));
    const plain = send(gateway.url, { body: turn({ model: 'claude-opus-5-5', stream: false }) });
    const count = send(gateway.url, { path: '/v1/messages/count_tokens', body: turn({ model: 'claude-opus-5-5' }) });
    await settled(...(await Promise.all([...asks, plain, count])));
    const got = await samples();
    const served = 'model="claude-opus-5-5" principal=""';
    const by = 'upstream="default/anthropic"';
    expect(got.get(`portcullis_requests_total endpoint="messages" ${served} status="200" ${by}`)).toBe(4);
    expect(got.get(`portcullis_requests_total endpoint="count_tokens" ${served} status="200" ${by}`)).toBe(1);
    const tokens = ['input', 'output', 'cache_read', 'cache_write_5m', 'cache_write_1h'].map((name) =>
      got.get(`portcullis_tokens_total class="${name}" ${served} ${by}`),
    );
    expect(tokens).toEqual([40, 80, 120, 160, 200]);
    // 10×4 + 20×20 + 30×0.2 + 40×5 + 50×8 per million, four times.
    const cost = `portcullis_cost_usd_total model="claude-opus-5-5" priced="list" principal="" ${by}`;
    expect(got.get(cost)).toBeCloseTo(4 * 0.001046, 12);
    expect(got.get(`portcullis_upstream_attempts_total result="200" ${by}`)).toBe(5);
    expect(got.get(`portcullis_answers_total outcome="complete" ${by}`)).toBe(5);
    expect(got.get(`portcullis_request_duration_seconds_count endpoint="messages" ${by}`)).toBe(4);
    expect(got.get(`portcullis_first_byte_seconds_count endpoint="messages" ${by}`)).toBe(4);
    expect(got.get(`portcullis_first_byte_seconds_sum endpoint="messages" ${by}`)).toBeGreaterThan(4 * 0.025);
    expect(got.get(`portcullis_request_duration_seconds_sum endpoint="messages" ${by}`)).toBeGreaterThan(4 * 0.025);
  });

  test('[TELE-11] cost per call as a histogram by upstream', async () => {
    const got = await samples();
    expect(got.get('portcullis_call_cost_usd_count upstream="default/anthropic"')).toBe(4);
    expect(got.get('portcullis_call_cost_usd_sum upstream="default/anthropic"')).toBeCloseTo(4 * 0.001046, 12);
    expect(got.get('portcullis_call_cost_usd_bucket le="0.001" upstream="default/anthropic"')).toBe(0);
    expect(got.get('portcullis_call_cost_usd_bucket le="0.005" upstream="default/anthropic"')).toBe(4);
  });

  test('[TELE-10] refusals, failures of authentication and of the upstream, by reason', async () => {
    const answers = [
      await send(gateway.url, { headers: headersWith({ authorization: 'Bearer nobody' }), body: '{}' }),
      await send(gateway.url, { headers: headersWith({ authorization: undefined }), body: '{}' }),
      await send(gateway.url, { body: turn({ model: 'gpt-9' }) }),
    ];
    mock.behave(() => ({ kind: 'status', status: 500 }));
    answers.push(await send(gateway.url, { body: turn() }));
    mock.behave(() => ({ kind: 'status', status: 429 }));
    answers.push(await send(gateway.url, { body: turn() }));
    mock.behave(() => ({ kind: 'cut', afterEvents: 3 }));
    answers.push(await send(gateway.url, { body: turn() }));
    await settled(...answers);
    const got = await samples();
    expect(got.get('portcullis_auth_failures_total reason="unknown_key"')).toBe(1);
    expect(got.get('portcullis_auth_failures_total reason="missing_credential"')).toBe(1);
    expect(got.get('portcullis_refusals_total reason="unknown_model"')).toBe(1);
    expect(got.get('portcullis_refusals_total reason="upstreams_failed"')).toBe(1);
    expect(got.get('portcullis_refusals_total reason="upstream_429"')).toBe(1);
    expect(got.get('portcullis_upstream_attempts_total result="500" upstream="default/anthropic"')).toBe(1);
    expect(got.get('portcullis_upstream_attempts_total result="429" upstream="default/anthropic"')).toBe(1);
    expect(got.get('portcullis_answers_total outcome="upstream_cut" upstream="default/anthropic"')).toBe(1);
  });

  test('[TELE-10] calls in flight, and the configuration in force', async () => {
    mock.behave(() => ({ kind: 'silence', afterEvents: 3 }));
    const { request, response } = await open(gateway.url, { body: turn() });
    await readUntil(response, 'ping');
    const during = await samples();
    expect(during.get('portcullis_in_flight_upstream')).toBe(1);
    expect(during.get('portcullis_config_keys')).toBe(1);
    expect(during.get('portcullis_ready')).toBe(1);
    const revisions = [...during.keys()].filter((name) => name.startsWith('portcullis_config_info '));
    expect(revisions).toEqual([`portcullis_config_info revision="${String(gateway.audit.at(-1)!['revision'])}"`]);
    request.destroy();
    await gateway.record(({ outcome }) => outcome === 'client_aborted');
    expect((await samples()).get('portcullis_in_flight_upstream')).toBe(0);
    gateway.reload(basicResources(mock.url));
    const after = [...(await samples()).keys()].filter((name) => name.startsWith('portcullis_config_info '));
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(revisions);
  });

  test('[TELE-10] the page is on its own port only, in the form of Prometheus', async () => {
    const page = await fetch(gateway.metricsUrl);
    expect(page.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect((await fetch(gateway.metricsUrl.replace('/metrics', '/v1/models'))).status).toBe(404);
    expect((await send(gateway.url, { method: 'GET', path: '/metrics', headers: [] })).status).toBe(401);
    expect((await send(gateway.url, { method: 'GET', path: '/metrics' })).status).toBe(404);
  });

  test('[TELE-10] what clients invent makes no series of its own', async () => {
    mock.behave(() => ({ kind: 'text' }));
    const before = (await samples()).size;
    const answers = [];
    for (let i = 0; i < 5; i += 1) {
      answers.push(await send(gateway.url, { path: `/v1/invented-${i}`, body: '{}' }));
      answers.push(await send(gateway.url, { body: turn({ model: `invented-${i}` }) }));
      answers.push(
        await send(gateway.url, { headers: headersWith({ authorization: `Bearer invented-${i}` }), body: '{}' }),
      );
      answers.push(
        await send(gateway.url, { headers: headersWith({ 'x-claude-code-session-id': `s${i}` }), body: turn() }),
      );
    }
    await settled(...answers);
    const names = [...(await samples()).keys()];
    expect(names.filter((name) => name.includes('invented'))).toEqual([]);
    // One set of series for unknown paths, one for served calls of another model.
    expect(names.length - before).toBeLessThan(80);
  });
});

describe.each([
  ['None', () => ''],
  ['Name', () => 'default/ci'],
  ['Hashed', (label: string) => (/^[0-9a-f]{12}$/.test(label) ? label : 'a hash')],
] as const)('principalLabel %s', (principalLabel, expected) => {
  beforeAll(() => start({ metrics: { principalLabel } }));
  afterAll(() => gateway.close());

  test('[TELE-11] requests by caller and upstream', async () => {
    mock.behave(() => ({ kind: 'text' }));
    await settled(await send(gateway.url, { body: turn() }));
    const name = [...(await samples()).keys()].find((each) => each.startsWith('portcullis_requests_total '))!;
    const label = /principal="([^"]*)"/.exec(name)![1]!;
    expect(label).toBe(expected(label));
    expect(name).toContain('upstream="default/anthropic"');
  });

  test('[TELE-11] takes effect for known callers when it changes', async () => {
    gateway.reload(basicResources(mock.url, { metrics: { principalLabel: 'Hashed' } }));
    await settled(await send(gateway.url, { body: turn() }));
    const names = [...(await samples()).keys()].filter((each) => each.startsWith('portcullis_requests_total '));
    expect(names.some((name) => /principal="[0-9a-f]{12}"/.test(name))).toBe(true);
  });
});
