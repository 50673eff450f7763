// What an author of a manifest reads when something is wrong: every fault, its place, the fix, and never a value.
import { describe, expect, test } from 'vitest';
import { didYouMean, parseObject, parseSpec, pathText } from './parse.ts';
import type { Kind } from './kinds.ts';

const policy = (over: object = {}): object => ({ gatewayRef: { name: 'claude' }, match: { everyone: {} }, ...over });

function messages(kind: Kind, raw: unknown): string[] {
  const parsed = parseSpec(kind, raw);
  return parsed.ok ? [] : parsed.issues.map((issue) => issue.message).sort();
}

describe('parseSpec', () => {
  test('applies defaults', () => {
    expect(parseSpec('Gateway', { publicUrl: 'https://claude.corp.internal' })).toMatchObject({
      ok: true,
      value: { listen: { port: 8080 }, allowedNamespaces: { policies: { from: 'Same' } }, defaultAccess: 'Deny' },
    });
  });

  test('[OPS-07] an unknown field is an error that names it and the field that was meant', () => {
    expect(messages('Policy', policy({ models: { alow: ['claude-*'] } }))).toEqual([
      'unknown field spec.models.alow; did you mean allow?',
    ]);
    const upstream = {
      gatewayRef: { name: 'g' },
      provider: 'Anthropic',
      headers: [{ name: 'x', valueFrom: { nme: 'a', key: 'b' } }],
    };
    expect(messages('Upstream', upstream)).toContain('unknown field spec.headers[0].valueFrom.nme; did you mean name?');
    expect(messages('Policy', policy({ colour: 'blue' }))).toEqual(['unknown field spec.colour']);
  });

  test('[ERR-19] every fault is listed with its path, not only the first', () => {
    const parsed = parseSpec('Policy', {
      match: { everyone: {}, groups: [] },
      priority: 1.5,
      models: { alow: [], deny: [3] },
      scopes: ['admin'],
      zz: 1,
    });
    expect(parsed.ok ? [] : parsed.issues.map((issue) => pathText(issue.path)).sort()).toEqual([
      'spec.gatewayRef',
      'spec.match',
      'spec.match.groups',
      'spec.models.alow',
      'spec.models.deny[0]',
      'spec.priority',
      'spec.scopes[0]',
      'spec.zz',
    ]);
  });

  test.each<[string, Kind, unknown, string]>([
    ['missing member', 'Policy', { match: { everyone: {} } }, 'spec.gatewayRef: is required'],
    ['missing spec', 'Policy', undefined, 'spec: is required'],
    ['spec of another type', 'Policy', [], 'spec: must be an object'],
    ['number that is not whole', 'Policy', policy({ priority: 0.5 }), 'spec.priority: must be a whole number'],
    ['number out of bounds', 'Policy', policy({ priority: 1e7 }), 'spec.priority: must be at most 1000000'],
    ['empty list', 'Policy', policy({ scopes: [] }), 'spec.scopes: must not be empty'],
    [
      'text too long',
      'Policy',
      policy({ denyMessage: 'x'.repeat(501) }),
      'spec.denyMessage: must have at most 500 characters',
    ],
    [
      'value outside an enum',
      'Gateway',
      { publicUrl: 'https://a.b', defaultAccess: 'No' },
      'spec.defaultAccess: must be one of Deny, Allow',
    ],
    [
      'rule with words of its own',
      'Gateway',
      { publicUrl: 'http://corp.internal' },
      'spec.publicUrl: must be an https URL, or http on localhost, 127.0.0.1 or [::1]',
    ],
  ])('%s reads plainly', (_, kind, raw, message) => {
    expect(messages(kind, raw)).toContain(message);
  });

  test.each<[string, object]>([
    ['empty groups', { groups: [] }],
    ['blank group', { groups: [' '] }],
    ['empty group', { groups: [''] }],
    ['empty e-mail domain', { emailDomains: [''] }],
    ['domain with an inner @', { emailDomains: ['a@corp.com'] }],
    ['domain with a space', { emailDomains: ['corp .com'] }],
    ['domain with a comma', { emailDomains: ['corp.com,evil.com'] }],
    ['no matcher', {}],
    ['everyone beside another matcher', { everyone: {}, users: ['a'] }],
  ])('[AUTHZ-22] matcher refused: %s', (_, match) => {
    expect(messages('Policy', { gatewayRef: { name: 'g' }, match })).not.toEqual([]);
  });

  test('[AUTHZ-22] one leading @ of a domain is tolerated', () => {
    expect(messages('Policy', { gatewayRef: { name: 'g' }, match: { emailDomains: ['@corp.com'] } })).toEqual([]);
  });

  test('[PROV-15] [SEC-21] a secret written inline is refused and not repeated', () => {
    const secret = 'sk-ant-api03-CANARY';
    const parsed = parseSpec('Upstream', {
      gatewayRef: { name: 'g' },
      provider: 'Anthropic',
      anthropic: { auth: { type: 'APIKey', apiKey: secret } },
      headers: [{ name: 'x-a', value: secret, valueFrom: { name: secret, key: secret } }],
    });
    expect(parsed.ok ? [] : parsed.issues.map((issue) => pathText(issue.path))).toEqual(
      expect.arrayContaining(['spec.anthropic.auth.apiKey', 'spec.headers[0].value']),
    );
    expect(JSON.stringify(parsed)).not.toContain('CANARY');
  });
});

describe('parseObject', () => {
  const metadata = { name: 'everyone' };
  const good = { apiVersion: 'portcullis.dev/v1alpha1', kind: 'Policy', metadata, spec: {} };

  test('fills in the namespace and leaves out foreign metadata', () => {
    const raw = {
      ...good,
      metadata: { ...metadata, managedFields: [], labels: { a: 'b' }, annotations: { 'c/d': 'e' }, generation: 2 },
      status: {},
    };
    expect(parseObject(raw, 'default')).toEqual({
      ok: true,
      value: {
        apiVersion: 'portcullis.dev/v1alpha1',
        kind: 'Policy',
        metadata: {
          name: 'everyone',
          namespace: 'default',
          labels: { a: 'b' },
          annotations: { 'c/d': 'e' },
          generation: 2,
        },
        spec: {},
      },
    });
  });

  test.each<[unknown, string[]]>([
    ['text', ['the document must be an object with apiVersion, kind and metadata']],
    [{}, ['apiVersion: is required', 'kind: is required', 'metadata: is required']],
    [{ ...good, kind: 'Polcy' }, ['unknown kind "Polcy"; did you mean Policy?']],
    [
      { ...good, kind: 'Deployment' },
      ['unknown kind "Deployment"; must be one of Gateway, Upstream, Policy, VirtualKey'],
    ],
    [{ ...good, apiVersion: 'portcullis.dev/v1' }, ['apiVersion: must be portcullis.dev/v1alpha1']],
    [{ ...good, metadata: {} }, ['metadata.name: is required']],
    [{ ...good, metadata: { name: 'A b' } }, ['metadata.name: must be lower-case letters, digits, - and .']],
    [{ ...good, metadata: { name: 'a', labels: { 'x/y': 1 } } }, ['metadata.labels["x/y"]: must be a string']],
    [
      { ...good, metadata: { name: 'a', annotations: { 'x/y': 1 } } },
      ['metadata.annotations["x/y"]: must be a string'],
    ],
    [{ ...good, metadata: { name: 'a', annotations: [] } }, ['metadata.annotations: must be an object']],
    [{ ...good, sepc: {} }, ['unknown field sepc; did you mean spec?']],
    [
      { ...good, kind: 'polcy', apiVersion: 1, metadata: { namespace: 'x' } },
      [
        'apiVersion: must be portcullis.dev/v1alpha1',
        'unknown kind "polcy"; did you mean Policy?',
        'metadata.name: is required',
      ],
    ],
  ])('[ERR-19] faults of %j', (raw, expected) => {
    const parsed = parseObject(raw, 'default');
    expect(parsed.ok ? [] : parsed.issues.map((issue) => issue.message)).toEqual(expected);
  });
});

test('didYouMean offers near words only', () => {
  expect(didYouMean('alow', ['deny', 'allow'])).toBe('allow');
  expect(didYouMean('spce', ['spec'])).toBe('spec');
  expect(didYouMean('spoe', ['spec'])).toBeUndefined();
  expect(didYouMean('metdata', ['metadata', 'spec'])).toBe('metadata');
  expect(didYouMean('banana', ['allow', 'deny'])).toBeUndefined();
});
