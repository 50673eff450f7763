// What holds for every input: order means nothing, one fault harms nobody else, and no secret gets out.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compile } from './compile.ts';
import { canonicalOutput, condition, gateway, golden, inputOf, object } from './testing.ts';
import type { RawObject } from './types.ts';

const RANDOM = 'hJ3kQ9vXr2LmT7wZpB5cN8sDfG1yAeU4';

describe('any input', () => {
  // A small world with many collisions: few names, few values, and specs of which some are broken.
  const namespace = fc.constantFrom('p', 'a', 'b');
  const name = fc.constantFrom('x', 'y');
  const gatewayRef = fc.record({ name: fc.constantFrom('x', 'y'), namespace: fc.constantFrom('p', 'a') });
  const metadata = fc.record(
    {
      namespace,
      name,
      generation: fc.nat(3),
      creationTimestamp: fc.constantFrom('2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z', 'never'),
      labels: fc.constantFrom<Record<string, string>>({}, { tier: 'gold' }),
      annotations: fc.constantFrom<Record<string, string>>({}, { 'portcullis.dev/probe': 'now' }),
    },
    { requiredKeys: ['namespace', 'name'] },
  );
  const access = fc.constantFrom(
    { from: 'Same' },
    { from: 'All' },
    { from: 'Selector', selector: { matchLabels: { llm: 'yes' } } },
  );
  const secretRef = fc.record({ name: fc.constantFrom('s', 'absent'), key: fc.constantFrom('token', 'bad') });
  /** Members of one provider, with secrets that are there, unfit or absent, and with the identity of the pods. */
  const providers = secretRef.chain((held) =>
    fc.constantFrom<object>(
      { provider: 'Anthropic', anthropic: { auth: { type: 'APIKey', apiKey: held, standby: held } } },
      { provider: 'Bedrock', anthropic: { auth: { type: 'APIKey', apiKey: held } } },
      {
        provider: 'AnthropicCompatible',
        anthropicCompatible: { forwardUserIdentity: true, auth: { type: 'BearerToken', bearerToken: held } },
      },
      {
        provider: 'Bedrock',
        bedrock: {
          region: 'us-east-1',
          auth: { type: 'AccessKey', accessKey: { accessKeyId: held, secretAccessKey: held, sessionToken: held } },
        },
      },
      { provider: 'Bedrock', bedrock: { region: 'us-east-1', inference: 'Global', auth: { type: 'Default' } } },
      {
        provider: 'BedrockMantle',
        bedrockMantle: { region: 'eu-west-1', auth: { type: 'BearerToken', bearerToken: held } },
      },
      {
        provider: 'ClaudePlatformAWS',
        claudePlatformAWS: { region: 'us-east-1', workspaceId: 'w', auth: { type: 'APIKey', apiKey: held } },
      },
      { provider: 'Vertex', vertex: { project: 'p', location: 'eu', auth: { type: 'Default' } } },
      {
        provider: 'Vertex',
        vertex: { project: 'p', location: 'us-east5', auth: { type: 'ServiceAccountKey', serviceAccountKey: held } },
      },
      { provider: 'Foundry', foundry: { resource: 'r1', auth: { type: 'APIKey', apiKey: held, standby: held } } },
    ),
  );
  const specs = {
    Gateway: fc.record(
      {
        publicUrl: fc.constantFrom('https://gw.corp', 'http://localhost:8080', 'ftp://x'),
        environment: fc.constantFrom('prod', 'test'),
        dialects: fc.constantFrom(['Bedrock', 'Anthropic'], ['Anthropic', 'Bedrock'], []),
        pathPrefixes: fc.constantFrom(['/claude', '/ai'], ['/v1']),
        allowedNamespaces: fc.record({ virtualKeys: access, policies: access, upstreams: access }),
        models: fc.constantFrom(
          { entries: [{ id: 'fast', target: 'own' }] },
          { entries: [{ id: 'f', target: 'lost' }] },
        ),
      },
      { requiredKeys: ['publicUrl'] },
    ),
    Upstream: fc
      .tuple(
        providers,
        fc.record(
          {
            gatewayRef,
            baseUrl: fc.constantFrom('http://plain', 'https://safe/'),
            region: fc.constantFrom('us-east-1', 'eu'),
            models: fc.constantFrom<object[]>(
              [{ id: 'Own' }],
              [{ id: 'own' }, { id: 'OWN' }],
              [{ id: 'claude-opus-5-5', betas: { deny: ['*'] } }],
              [{ id: 'claude-opus-5-5', upstreamId: 'global.anthropic.claude-opus-5-5' }],
            ),
            tls: fc.record({ caRef: secretRef }),
            validation: fc.constantFrom({ enabled: false }, { interval: '2m' }),
          },
          { requiredKeys: ['gatewayRef'] },
        ),
      )
      .map(([provider, rest]) => ({ ...provider, ...rest })),
    Policy: fc.record(
      {
        gatewayRef,
        match: fc.constantFrom<object>(
          { everyone: {} },
          { groups: ['g', 'h'] },
          { groups: ['h', 'g'] },
          { groups: [] },
          {
            groups: ['g'],
            headers: [
              { name: 'x-b', values: ['2', '1'] },
              { name: 'x-a', values: ['1'] },
            ],
          },
          {
            groups: ['g'],
            headers: [
              { name: 'x-a', values: ['1'] },
              { name: 'x-b', values: ['1', '2'] },
            ],
          },
        ),
        priority: fc.nat(2),
        upstreams: fc.constantFrom<object>(
          { names: ['x', 'a/y'] },
          { selector: { matchLabels: { tier: 'gold' } } },
          { regions: ['us-*', 'global'] },
          {},
        ),
        models: fc.constantFrom({ allow: ['Own', 'claude-*'] }, { alow: [] }),
      },
      { requiredKeys: ['gatewayRef', 'match'] },
    ),
    VirtualKey: fc.record(
      {
        gatewayRef,
        owner: fc.constant({ type: 'User', name: 'alice' }),
        credential: fc.record({
          type: fc.constant('Imported'),
          imported: fc.record({
            secretRef: fc.record({
              name: fc.constantFrom('s', 'absent'),
              key: fc.constantFrom('value', 'other', 'weak', 'bad'),
            }),
          }),
        }),
        ttl: fc.constant('24h'),
        state: fc.constantFrom('Active', 'Disabled', 'Revoked'),
      },
      { requiredKeys: ['gatewayRef', 'owner', 'credential'] },
    ),
  };
  const kind = fc.constantFrom('Gateway' as const, 'Upstream' as const, 'Policy' as const, 'VirtualKey' as const);
  const anyObject: fc.Arbitrary<RawObject> = kind.chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      metadata,
      spec: fc.oneof(
        { weight: 8, arbitrary: specs[kind] as fc.Arbitrary<unknown> },
        { weight: 1, arbitrary: fc.jsonValue() },
      ),
    }),
  );
  const objects = fc.array(anyObject, { maxLength: 24 });
  const held = {
    token: 'provider-token-CANARY\n',
    bad: 'CANARY-unfit\u0007-CANARY',
    value: `${RANDOM}-CANARY`,
    other: `other-${RANDOM}-CANARY`,
    weak: 'CANARY-CANARY-CANARY',
  };
  const secrets = { 'p/s': held, 'a/s': held, 'b/s': held };
  const shuffled = objects.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );

  test('in any order gives the same bytes', () => {
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        expect(canonicalOutput(compile(inputOf(other, secrets)))).toBe(
          canonicalOutput(compile(inputOf(list, secrets))),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('gets one status for every object, in order, with both standing conditions', () => {
    fc.assert(
      fc.property(objects, (list) => {
        const { statuses } = compile(inputOf(list, secrets));
        const label = (kind: string, namespace: string, name: string) => `${kind} ${namespace} ${name}`;
        expect(statuses.map((status) => label(status.kind, status.namespace, status.name))).toEqual(
          list.map(({ kind, metadata }) => label(kind, metadata.namespace, metadata.name)).sort(),
        );
        for (const status of statuses) {
          expect(status.conditions.map(({ type }) => type).slice(0, 2)).toEqual(['Accepted', 'ResolvedRefs']);
          for (const { reason, message, observedGeneration } of status.conditions) {
            expect(reason).toMatch(/^[A-Z][A-Za-z]+$/);
            expect(message).not.toBe('');
            expect(observedGeneration).toBe(status.generation);
          }
        }
      }),
    );
  });

  test('[SEC-21] [AUTH-08] [PROV-15] no planted secret is in bundles, key entries or statuses', () => {
    fc.assert(
      fc.property(objects, (list) => {
        expect(canonicalOutput(compile(inputOf(list, secrets)))).not.toContain('CANARY');
      }),
      { numRuns: 200 },
    );
  });

  test('[SEC-21] every refusal of a value is worded without it', () => {
    const refs = Object.keys(held).flatMap((key) => [
      object('VirtualKey', `p/${key}`, {
        gatewayRef: { name: 'gw' },
        owner: { type: 'User', name: 'a' },
        credential: { type: 'Imported', imported: { secretRef: { name: 's', key } } },
      }),
      object('Upstream', `p/${key}`, {
        gatewayRef: { name: 'gw' },
        provider: 'Anthropic',
        anthropic: { auth: { type: 'APIKey', apiKey: { name: 's', key } } },
      }),
    ]);
    const output = compile(inputOf([gateway(), ...refs], secrets));
    const reasons = output.statuses.flatMap(({ conditions }) => conditions.map(({ reason }) => reason));
    expect(reasons).toEqual(expect.arrayContaining(['WeakKey', 'Invalid', 'InvalidValue']));
    expect(JSON.stringify(output.statuses)).not.toContain('CANARY');
  });

  test('a broken object beside a set that works changes nothing of what is served', () => {
    const sound = golden('quickstart');
    const before = compile(sound);
    const breakage = fc
      .constantFrom('Gateway', 'Upstream', 'Policy', 'VirtualKey')
      .chain((kind) => fc.jsonValue().map((spec) => object(kind, 'default/zz-broken', { zz: spec })));
    fc.assert(
      fc.property(breakage, (broken) => {
        const after = compile({ ...sound, objects: [broken, ...sound.objects] });
        expect(canonicalOutput({ ...after, statuses: [] })).toBe(canonicalOutput({ ...before, statuses: [] }));
        expect(condition(after, broken.kind, 'default/zz-broken', 'Accepted')?.status).toBe('False');
      }),
    );
  });
});
