// A standby credential takes over from one that is refused, and a refusal that has nothing to do with the credential changes nothing for
// anybody else: it comes from what one client asked.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Behaviour } from '../harness/mock-anthropic.ts';
import { startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { call, site, siteResources } from './routing.ts';

const [FIRST, STANDBY] = ['sk-ant-api03-first-0123456789', 'sk-ant-api03-standby-0123456789'];
const ref = (key: string) => ({ name: 'pair', key });
const PAIR = { anthropic: { auth: { type: 'APIKey', apiKey: ref('first'), standby: ref('standby') } } };
const ATTACK = 'what this account may not do';

let mock: MockAnthropic;
let gateway: TestGateway;
let good: readonly string[];

const answerTo = (key: unknown, body: string): Behaviour => {
  if (!good.includes(String(key))) return { kind: 'status', status: 401, message: 'invalid x-api-key' };
  return body.includes(ATTACK) ? { kind: 'status', status: 403, message: 'not for you' } : { kind: 'text' };
};

beforeAll(async () => {
  mock = await startMockAnthropic();
  mock.behave((request) => answerTo(request.headers['x-api-key'], JSON.stringify(request.json())));
});
afterAll(() => mock.close());

beforeEach(async () => {
  const resources = siteResources([site('a', mock.url, 0, { ...PAIR, breaker: { consecutiveFailures: 1000 } })]);
  gateway = await startGateway(withObjects(resources, [], { 'default/pair': { first: FIRST, standby: STANDBY } }));
  return () => gateway.close();
});

const attack = () => call(gateway, { messages: [{ role: 'user', content: ATTACK }] });

test('[PROV-22] a call that is forbidden under a good credential does not move everybody to a bad standby', async () => {
  good = [FIRST];
  expect((await attack()).status).toBe(403);
  for (let i = 0; i < 3; i++) expect((await call(gateway)).status).toBe(200);
  const attacks = Array.from({ length: 10 }, attack);
  const others = await Promise.all(Array.from({ length: 20 }, () => call(gateway)));
  expect(others.map(({ status }) => status)).toEqual(others.map(() => 200));
  expect((await Promise.all(attacks)).every(({ status }) => status === 403)).toBe(true);
});

test('[PROV-22] [PROV-35] calls in flight under a revoked credential all end well under the standby, which then is used at once', async () => {
  good = [STANDBY];
  const answers = await Promise.all(Array.from({ length: 20 }, () => call(gateway)));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  const before = mock.received();
  expect((await call(gateway)).status).toBe(200);
  expect(mock.received() - before).toBe(1);
});
