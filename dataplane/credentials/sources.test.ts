// Credentials across configurations: kept while nothing changed, opened anew for a changed Secret, closed when no upstream names them.
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { SecretText } from '#shared/secret-text.ts';
import { CredentialSources, type CredentialSpec } from './sources.ts';
import type { CredentialPorts, CredentialSource } from './source.ts';
import { FakeClock, byName, endpoint, outgoing, ports } from './testing.ts';

const HOUR = 3_600_000;

function sources(given: Partial<CredentialPorts> = {}): CredentialSources {
  const made = new CredentialSources(ports(given));
  onTestFinished(() => made.close());
  return made;
}

function key(text: string, name = 'x-api-key'): CredentialSpec {
  return { type: 'Fixed', headers: [{ name, value: new SecretText(text) }] };
}

const FEDERATION: CredentialSpec = {
  type: 'AnthropicFederation',
  baseUrl: 'https://api.anthropic.com',
  federationRuleId: 'fdrl_1',
  organizationId: 'org',
  tokenFile: '/t',
};

function sent(source: CredentialSource | undefined): Record<string, string> {
  const request = outgoing({ headers: [] });
  expect(source?.authorize(request, 'ada')).toBeUndefined();
  return byName(request.headers);
}

test.each<[string, CredentialSpec, Record<string, string>]>([
  ['Anthropic key', key('planted-key'), { 'x-api-key': 'planted-key' }],
  ['Foundry key', key('planted-key', 'api-key'), { 'api-key': 'planted-key' }],
  [
    '[PROV-07] Bedrock API key',
    { type: 'Fixed', headers: [{ name: 'authorization', scheme: 'Bearer ', value: new SecretText('planted-key') }] },
    { authorization: 'Bearer planted-key' },
  ],
])('%s: in its header, at once', (_name, spec, expected) => {
  const source = sources()
    .configure(new Map([['ns/up', spec]]))
    .get('ns/up');
  expect(sent(source)).toEqual(expected);
  expect(source?.setsHeader(Object.keys(expected)[0]!)).toBe(true);
  expect(source?.leaksInto('you sent planted-key')).toBe(true);
});

test('a changed Secret is in force with the configuration that brings it, and a call keeps the one it began with', () => {
  const made = sources();
  const before = made.configure(new Map([['ns/up', key('first-key')]])).get('ns/up');
  const after = made.configure(new Map([['ns/up', key('second-key')]])).get('ns/up');
  expect(sent(after)).toEqual({ 'x-api-key': 'second-key' });
  expect(sent(before)).toEqual({ 'x-api-key': 'first-key' });
});

test('an unchanged credential keeps its token when something else changes: no new exchange', async () => {
  const exchange = await endpoint(() => ({ body: JSON.stringify({ access_token: 'token', expires_in: 3600 }) }));
  const made = sources({ fetch: exchange.fetch, readFile: async () => 'eyJ' });
  const first = made.configure(new Map([['ns/up', FEDERATION]])).get('ns/up');
  await first?.settled;
  const second = made
    .configure(
      new Map([
        ['ns/up', { ...FEDERATION }],
        ['ns/other', key('k')],
      ]),
    )
    .get('ns/up');
  expect(second).toBe(first);
  expect(exchange.asked).toHaveLength(1);
});

test('a credential that no configuration names is not refreshed any more, but ends the calls that hold it', async () => {
  const clock = new FakeClock();
  const exchange = await endpoint(() => ({ body: JSON.stringify({ access_token: 'token', expires_in: 3600 }) }));
  const made = sources({ fetch: exchange.fetch, readFile: async () => 'eyJ', clock });
  const source = made.configure(new Map([['ns/up', FEDERATION]])).get('ns/up');
  await source?.settled;
  made.configure(new Map());
  expect(clock.waiting).toBe(0);
  expect(sent(source)).toMatchObject({ authorization: 'Bearer token' });
  await clock.advance(HOUR);
  await expect(source?.authorize(outgoing(), 'ada')).rejects.toMatchObject({ code: 'closed' });
  expect(exchange.asked).toHaveLength(1);
});

test('the id names settings and secret: equal for equal ones, another for another secret, and shows neither', () => {
  const made = sources();
  const by = made.configure(
    new Map([
      ['a', key('planted-key-1')],
      ['b', key('planted-key-1')],
      ['c', key('planted-key-2')],
      ['d', key('planted-key-1', 'api-key')],
    ]),
  );
  const ids = ['a', 'b', 'c', 'd'].map((upstream) => by.get(upstream)!.id);
  expect(ids[0]).toBe(ids[1]);
  expect(new Set(ids).size).toBe(3);
  expect(ids.every((id) => /^[0-9a-f]{16}$/.test(id))).toBe(true);
  expect(inspect([by, made], { depth: 9, showHidden: true }) + JSON.stringify([...by])).not.toContain('planted');
});
