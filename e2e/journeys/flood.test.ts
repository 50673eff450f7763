// Policy edits and revocations under a flood of requests and 200 open streams: nothing fails, and after the program said `reloaded` no
// answer is wrong. Before that either rule may hold, and never a third.
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  basicResources,
  CI_KEY,
  importedKey,
  NAMESPACE,
  policy,
  withObjects,
  type Resources,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { startPortcullis, type PortcullisProcess } from '../harness/portcullis-process.ts';

const CONNECTIONS = 24;
const STREAMS = 200;
const EDITS = 14;
/** Milliseconds of flood under each configuration. */
const BETWEEN_MS = 500;
const STREAM_MS = 24_000;
const GAP_MS = 300;
const ALLOWED = 'claude-haiku-5-5';
const DISPUTED = 'claude-opus-5-5';
const VICTIMS = Array.from({ length: EDITS }, (_, i) => `victim-${i}`);

/** What holds from one edit to the next. */
interface Rules {
  readonly opus: 'allowed' | 'denied';
  readonly revoked: ReadonlySet<string>;
}

let mock: MockAnthropic;
let portcullis: PortcullisProcess;
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

/** Every configuration so far. */
const history: Rules[] = [{ opus: 'allowed', revoked: new Set() }];
/** The oldest configuration that a request starting now may meet. */
let oldest = 0;

beforeAll(async () => {
  mock = await startMockAnthropic({
    retain: 0,
    behave: (call) =>
      call.json()?.['stream'] === true
        ? { kind: 'events', count: STREAM_MS / GAP_MS, gapMs: GAP_MS }
        : { kind: 'text' },
  });
  portcullis = await startPortcullis(resources(history[0]!));
});

afterAll(async () => {
  agent.destroy();
  await portcullis.stop();
  await mock.close();
});

const valueOf = (key: string): string => (key === 'ci' ? CI_KEY : `${key}-0123456789-abcdefghijklmnop-QRSTUV`);

function resources({ opus, revoked }: Rules): Resources {
  const models = { allow: ['claude-*'], ...(opus === 'denied' ? { deny: ['claude-opus-*'] } : {}) };
  const keys = VICTIMS.map((name) => importedKey(name, { state: revoked.has(name) ? 'Revoked' : 'Active' }));
  return withObjects(basicResources(mock.url), [policy('everyone', { match: { everyone: {} }, models }), ...keys], {
    [`${NAMESPACE}/keys`]: Object.fromEntries(VICTIMS.map((name) => [name, valueOf(name)])),
  });
}

function right({ opus, revoked }: Rules, key: string, model: string): number {
  if (revoked.has(key)) return 401;
  return model === DISPUTED && opus === 'denied' ? 400 : 200;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function ask(key: string, body: object, own = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${portcullis.url}/v1/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${valueOf(key)}`, 'content-type': 'application/json' },
      agent: own ? false : agent,
    });
    sent.once('error', reject).once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('error', reject).once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.end(JSON.stringify({ max_tokens: 1, messages: [], ...body }));
  });
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('[ROUTE-24] [KEY-10] [OPS-05] zero failed requests and zero wrong answers while the configuration changes', async () => {
  const wrong: string[] = [];
  const statuses = new Map<number, number>();
  let asked = 0;
  const over = new AbortController();

  async function flood(worker: number): Promise<void> {
    for (let turn = worker; !over.signal.aborted; turn++) {
      const key = turn % 3 === 0 ? 'ci' : VICTIMS[turn % VICTIMS.length]!;
      const model = turn % 2 === 0 ? ALLOWED : DISPUTED;
      const from = oldest;
      asked++;
      const what = await ask(key, { model }).catch((error: unknown) => ({ status: 0, text: String(error) }));
      statuses.set(what.status, (statuses.get(what.status) ?? 0) + 1);
      const rights = history.slice(from).map((rules) => right(rules, key, model));
      if (!rights.includes(what.status))
        wrong.push(
          `${key} ${model}: ${what.status}, not ${[...new Set(rights)].join(' or ')}: ${what.text.slice(0, 200)}`,
        );
    }
  }

  // Half of the streams belong to keys that will be revoked, and all ask for the model that will be denied.
  const streams = Array.from({ length: STREAMS }, (_, i) =>
    ask(i % 2 === 0 ? 'ci' : VICTIMS[i % VICTIMS.length]!, { model: DISPUTED, stream: true }, true),
  );
  await expect.poll(() => mock.open(), { timeout: 20_000 }).toBe(STREAMS);

  const workers = Array.from({ length: CONNECTIONS }, (_, i) => flood(i));
  const reloads: number[] = [];
  const begun = performance.now();
  for (let edit = 0; edit < EDITS; edit++) {
    await sleep(BETWEEN_MS);
    const { opus, revoked } = history.at(-1)!;
    const next: Rules = {
      opus: opus === 'allowed' ? 'denied' : 'allowed',
      revoked: edit % 2 === 0 ? revoked : new Set([...revoked, VICTIMS[edit]!, VICTIMS[edit - 1]!]),
    };
    history.push(next);
    const started = performance.now();
    await portcullis.edit(resources(next));
    reloads.push(performance.now() - started);
    oldest = history.length - 1;
  }
  await sleep(BETWEEN_MS);
  const seconds = (performance.now() - begun) / 1_000;
  expect(mock.open(), 'streams are still open under the last configuration').toBeGreaterThanOrEqual(STREAMS);
  over.abort();
  await Promise.all(workers);
  const finished = await Promise.all(streams);

  reloads.sort((a, b) => a - b);
  process.stdout.write(
    `flood: ${asked} requests in ${seconds.toFixed(1)} s (${Math.round(asked / seconds)} a second), ${[...statuses].map(([status, n]) => `${n} × ${status}`).join(', ')}; ` +
      `${EDITS} edits, each in force after ${Math.round(reloads[EDITS >> 1]!)} ms (median), ${Math.round(reloads.at(-1)!)} ms (worst); ${STREAMS} streams\n`,
  );
  expect(wrong.slice(0, 10)).toEqual([]);
  expect(new Set(statuses.keys())).toEqual(new Set([200, 400, 401]));
  for (const { status, text } of finished) {
    expect(status).toBe(200);
    expect(text).toMatch(/event: message_stop\ndata: [^\n]+\n\n$/);
    expect(text).not.toContain('event: error');
  }
  // Records written = requests answered.
  await expect.poll(() => portcullis.audit.length, { timeout: 10_000 }).toBe(asked + STREAMS);
  const recorded = new Map<number, number>();
  for (const { status } of portcullis.audit) recorded.set(Number(status), (recorded.get(Number(status)) ?? 0) + 1);
  statuses.set(200, statuses.get(200)! + STREAMS);
  expect(Object.fromEntries(recorded)).toEqual(Object.fromEntries(statuses));
  expect(new Set(portcullis.audit.map(({ request_id: id }) => id)).size).toBe(asked + STREAMS);
  // Each answer was given under a configuration that allowed it to be given.
  expect(portcullis.audit.filter(({ outcome }) => outcome !== undefined && outcome !== 'complete')).toEqual([]);
});
