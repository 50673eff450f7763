// A compile that remembers says what one says that remembers nothing, whatever happens in between: edits, deletions, Secrets, credentials,
// tombstones, Gateways that change, close and come back.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SecretText } from '#shared/secret-text.ts';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { compile } from './compile.ts';
import { CompileMemo } from './memo.ts';
import { canonicalOutput, gateway, inputOf, keysOf, object, statusOf } from './testing.ts';
import type { CompileInput, KeyCredential, RawObject } from './types.ts';

const RANDOM = 'hJ3kQ9vXr2LmT7wZpB5cN8sDfG1yAeU4';
const HASHES = ['aa', 'bb', 'cc'].map((two) => two.repeat(32));

const key = fc.record({
  name: fc.constantFrom('k1', 'k2', 'k3', 'k4'),
  namespace: fc.constantFrom('p', 'a'),
  born: fc.constantFrom('2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'),
  gateway: fc.constantFrom('gw', 'gw', 'gw', 'lost'),
  generated: fc.boolean(),
  value: fc.constantFrom('one', 'two', 'weak', 'absent'),
  state: fc.constantFrom('Active', 'Disabled', 'Revoked'),
  models: fc.constantFrom(undefined, { allow: ['own-*'] }, { allow: ['claude-*', 'typo'] }),
  environment: fc.constantFrom(undefined, 'prod'),
  broken: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
});

const keyObject = (of: typeof key extends fc.Arbitrary<infer T> ? T : never): RawObject => {
  const credential = of.generated
    ? { type: 'Generated', generated: { secretName: `s-${of.name}` } }
    : { type: 'Imported', imported: { secretRef: { name: 's', key: of.value } } };
  const spec = {
    gatewayRef: { name: of.gateway, namespace: 'p' },
    owner: { type: 'User', name: 'alice' },
    credential,
    state: of.state,
    ...(of.models === undefined ? {} : { models: of.models }),
    ...(of.environment === undefined ? {} : { environment: of.environment }),
    ...(of.broken ? { zz: 1 } : {}),
  };
  return object('VirtualKey', `${of.namespace}/${of.name}`, spec, { creationTimestamp: of.born, generation: 1 });
};

/** Everything beside the keys, small, so that a sequence of steps comes back to what it was. */
const rest = fc.record({
  access: fc.constantFrom('All', 'Same'),
  environment: fc.constantFrom(undefined, 'prod', 'test'),
  url: fc.constantFrom('https://gw.corp', 'https://gw.corp', 'https://gw.corp', 'ftp://broken'),
  prefix: fc.constantFrom('sk-pc-', 'sk-x-'),
  upstreamModels: fc.constantFrom([], [{ id: 'own-1' }]),
  provider: fc.constantFrom<object>(
    { provider: 'Anthropic', anthropic: { auth: { type: 'APIKey', apiKey: { name: 's', key: 'one' } } } },
    { provider: 'Bedrock', bedrock: { region: 'us-east-1', auth: { type: 'Default' } } },
    // Listed models of a refused upstream are not there for patterns.
    { provider: 'Bedrock', region: 'eu', bedrock: { region: 'us-east-1', auth: { type: 'Default' } } },
    { provider: 'Vertex', vertex: { project: 'p', location: 'eu', auth: { type: 'Default' } } },
  ),
  secret: fc.constantFrom<Record<string, string>>(
    { one: `${RANDOM}-1`, two: `${RANDOM}-2`, weak: 'w' },
    { one: `${RANDOM}-2`, two: `${RANDOM}-2` },
    {},
  ),
  tombstones: fc.subarray([...HASHES]),
  credentials: fc.option(
    fc.dictionary(
      fc.constantFrom('p/k1', 'p/k2', 'a/k1', 'a/k3'),
      fc.record({
        hash: fc.constantFrom(...HASHES),
        prefix: fc.constant('sk-pc-abcd'),
        previous: fc.option(
          fc.record({ hash: fc.constantFrom(...HASHES), prefix: fc.constant('sk-pc-zzzz'), until: fc.nat(9) }),
          { nil: undefined },
        ),
      }),
    ),
    { nil: undefined },
  ),
});

/** What happens: keys are replaced by others, some stay the very same objects, everything else is drawn anew or stays. */
const step = fc.record({
  keys: fc.array(key, { maxLength: 4 }),
  rest: fc.option(rest, { nil: undefined }),
  gone: fc.nat(7),
});

function input(keys: Iterable<RawObject>, with_: typeof rest extends fc.Arbitrary<infer T> ? T : never): CompileInput {
  const { access, environment, url, prefix } = with_;
  const spec = {
    publicUrl: url,
    allowedNamespaces: { virtualKeys: { from: access } },
    virtualKeys: { prefix },
    ...(environment === undefined ? {} : { environment }),
  };
  const upstream = object('Upstream', 'p/up', {
    gatewayRef: { name: 'gw' },
    ...with_.provider,
    models: with_.upstreamModels,
  });
  const secrets = { 'p/s': with_.secret, 'a/s': with_.secret };
  const { credentials } = with_;
  return {
    ...inputOf([gateway(spec), upstream, ...keys], secrets),
    tombstones: new Map([['p/gw', new Set(with_.tombstones)]]),
    ...(credentials === undefined
      ? {}
      : { credentials: new Map(Object.entries(credentials as Record<string, KeyCredential>)) }),
  };
}

describe('a compile that remembers', () => {
  test('gives the bytes of one that does not, after every step', () => {
    let conflicts = 0;
    let reused = 0;
    fc.assert(
      fc.property(rest, fc.array(step, { minLength: 2, maxLength: 8 }), (first, steps) => {
        const memo = new CompileMemo();
        const held = new Map<string, RawObject>();
        let around = first;
        for (const { keys, rest: next, gone } of steps) {
          around = next ?? around;
          for (const each of keys) held.set(`${each.namespace}/${each.name}`, keyObject(each));
          if (gone < held.size) held.delete([...held.keys()][gone]!);
          const now = input(held.values(), around);
          const warm = compile(now, builtinCatalog.models, memo);
          expect(canonicalOutput(warm)).toBe(canonicalOutput(compile(now)));
          // The same again, so that everything is remembered.
          const again = compile(now, builtinCatalog.models, memo);
          expect(canonicalOutput(again)).toBe(canonicalOutput(warm));
          if (canonicalOutput(warm).includes('Conflicted')) conflicts++;
          else if (again.gateways.get('p/gw')?.keys === warm.gateways.get('p/gw')?.keys) reused++;
        }
      }),
      { numRuns: 400 },
    );
    // The inputs are such that there was something to get wrong.
    expect(conflicts).toBeGreaterThan(0);
    expect(reused).toBeGreaterThan(0);
  });

  test('hands over the very same statuses and entries of keys that did not change', () => {
    const memo = new CompileMemo();
    const imported = (name: string, value: string, state = 'Active'): RawObject =>
      object('VirtualKey', `p/${name}`, {
        gatewayRef: { name: 'gw' },
        owner: { type: 'User', name },
        credential: { type: 'Imported', imported: { secretRef: { name: 's', key: value } } },
        state,
      });
    const secrets = { 'p/s': { one: `${RANDOM}-1`, two: `${RANDOM}-2` } };
    const [a, b] = [imported('a', 'one'), imported('b', 'two')];
    const before = compile(inputOf([gateway(), a, b], secrets), builtinCatalog.models, memo);
    const after = compile(
      inputOf([gateway(), a, imported('b', 'two', 'Disabled')], secrets),
      builtinCatalog.models,
      memo,
    );
    expect(statusOf(after, 'VirtualKey', 'p/a')).toBe(statusOf(before, 'VirtualKey', 'p/a'));
    expect(statusOf(after, 'VirtualKey', 'p/b')).not.toBe(statusOf(before, 'VirtualKey', 'p/b'));
    const entryOf = (output: typeof before, name: string) =>
      keysOf(output, 'p/gw').find(({ key }) => key === `p/${name}`);
    expect(entryOf(after, 'a')).toBe(entryOf(before, 'a'));
    expect(entryOf(after, 'b')).toMatchObject({ state: 'Disabled' });
  });

  test('keeps no report of a conflict that is over', () => {
    const memo = new CompileMemo();
    const twin = (name: string): RawObject =>
      object('VirtualKey', `p/${name}`, {
        gatewayRef: { name: 'gw' },
        owner: { type: 'User', name },
        credential: { type: 'Imported', imported: { secretRef: { name: 's', key: 'one' } } },
      });
    const [a, b] = [twin('a'), twin('b')];
    const secrets = { 'p/s': { one: `${RANDOM}-1` } };
    const both = compile(inputOf([gateway(), a, b], secrets), builtinCatalog.models, memo);
    expect(statusOf(both, 'VirtualKey', 'p/b').conditions[0]).toMatchObject({ status: 'False', reason: 'Conflicted' });
    const alone = compile(inputOf([gateway(), b], secrets), builtinCatalog.models, memo);
    expect(statusOf(alone, 'VirtualKey', 'p/b').conditions[0]).toMatchObject({ status: 'True' });
    expect(keysOf(alone, 'p/gw').map((entry) => entry.key)).toEqual(['p/b']);
  });
});

test('secrets are compared by what they hold', () => {
  const memo = new CompileMemo();
  const of = object('VirtualKey', 'p/a', {
    gatewayRef: { name: 'gw' },
    owner: { type: 'User', name: 'a' },
    credential: { type: 'Imported', imported: { secretRef: { name: 's', key: 'one' } } },
  });
  const withValue = (value: string): CompileInput => ({
    ...inputOf([gateway(), of]),
    secrets: new Map([['p/s', new Map([['one', new SecretText(value)]])]]),
  });
  const run = (value: string) => keysOf(compile(withValue(value), builtinCatalog.models, memo), 'p/gw')[0];
  const first = run(`${RANDOM}-1`);
  expect(run(`${RANDOM}-1`)).toBe(first);
  expect(run(`${RANDOM}-2`)?.hash).not.toBe(first?.hash);
});
