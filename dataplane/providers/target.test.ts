// Secrets of an upstream stay inside: what a log, a dump or an error could show of a target holds none of them.
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import { SecretText } from '#shared/secret-text.ts';
import { outgoing } from '../credentials/testing.ts';
import { upstreamTargets, type UpstreamTarget } from './target.ts';
import { openCredentials } from './testing.ts';

const KEY = 'sk-ant-planted-key-0001';
const HEADER = 'planted-header-value-0002';

const entry: UpstreamEntry = {
  key: 'ns/up',
  name: 'up',
  namespace: 'ns',
  labels: {},
  provider: 'Anthropic',
  baseUrl: 'https://api.example',
  credential: { type: 'Fixed', header: 'x-api-key', credential: 'ref-a' },
  headers: [{ name: 'x-tenant', credential: 'ref-b' }],
  priority: 1,
  weight: 1,
  models: [],
  countTokens: true,
  connectRetries: 0,
  breaker: { consecutiveFailures: 1, openFor: 1 },
};
const credentials = {
  pepper: new SecretText('pepper-planted'),
  values: { 'ref-a': new SecretText(KEY), 'ref-b': new SecretText(HEADER) },
};

const targetOf = (): UpstreamTarget => upstreamTargets([entry], credentials, openCredentials())[0]!;

test('[SEC-21] neither inspection nor JSON of a target or of credentials shows a secret', () => {
  const target = targetOf();
  const sent: string[] = [];
  void target.credential.authorize(outgoing({ headers: sent }), 'me');
  target.appendHeaders(sent);
  expect(sent).toEqual(['x-api-key', KEY, 'x-tenant', HEADER]);
  const shown = [target, credentials]
    .map((each) => inspect(each, { depth: 9, showHidden: true }) + JSON.stringify(each))
    .join();
  for (const secret of [KEY, HEADER, 'pepper-planted']) expect(shown).not.toContain(secret);
});

test.each([
  ['a body', Buffer.from(`you sent ${KEY}.`), true],
  ['a header value', HEADER, true],
  ['something else', Buffer.from('you sent sk-ant-planted'), false],
])('[SEC-21] recognises its secrets in %s', (_name, text, leaks) => {
  expect(targetOf().leaksInto(text)).toBe(leaks);
});
