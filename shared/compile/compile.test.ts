// The rules of the compile step that requirement rows ask for, on the inputs of the golden files.
import { describe, expect, test } from 'vitest';
import { SecretText } from '#shared/secret-text.ts';
import { compile } from './compile.ts';
import { condition, golden, keysOf, statusOf } from './testing.ts';

describe('rows proven through golden cases', () => {
  test('[AUTHZ-08] teams, users, domains and key labels are matchers of one policy', () => {
    const [policy] = compile(golden('full')).gateways.get('platform/claude')?.bundle.policies ?? [];
    expect(policy?.match).toEqual({
      everyone: false,
      groups: ['engineering', 'ops'],
      emailDomains: ['corp.com', 'corp.org'],
      users: ['alice'],
      keyLabels: { team: 'build' },
    });
  });

  test('[AUTHZ-22] a policy with an invalid matcher is refused and grants nothing', () => {
    const output = compile(golden('broken-objects'));
    expect(condition(output, 'Policy', 'default/bad', 'Accepted')).toMatchObject({
      status: 'False',
      reason: 'Invalid',
    });
    expect(output.gateways.get('default/claude')?.bundle.policies.map(({ key }) => key)).toEqual(['default/everyone']);
  });

  test('[ERR-19] [OPS-07] the condition lists every fault, and tools get each place', () => {
    const status = statusOf(compile(golden('broken-objects')), 'Policy', 'default/bad');
    const message = status.conditions[0]?.message ?? '';
    expect(message).toContain('unknown field spec.models.alow; did you mean allow?');
    expect(status.issues.length).toBeGreaterThanOrEqual(4);
    for (const issue of status.issues) expect(message).toContain(issue.message);
  });

  test('[AUTHZ-24] a key of another environment is kept as foreign, and its object says so', () => {
    const output = compile(golden('keys-states'));
    const entry = keysOf(output).find(({ key }) => key === 'default/other-environment');
    expect(entry?.foreignEnvironment).toBe('dev');
    expect(keysOf(output).filter(({ foreignEnvironment }) => foreignEnvironment !== undefined)).toHaveLength(1);
    const accepted = condition(output, 'VirtualKey', 'default/other-environment', 'Accepted');
    expect(accepted).toMatchObject({ status: 'False', reason: 'EnvironmentMismatch' });
  });

  test('[AUTHZ-24] a Gateway without environment takes no key that names one', () => {
    const input = golden('keys-states');
    const objects = input.objects.map((object) =>
      object.kind === 'Gateway' ? { ...object, spec: { publicUrl: 'https://claude.corp.internal' } } : object,
    );
    const foreign = keysOf(compile({ ...input, objects })).filter(
      ({ foreignEnvironment }) => foreignEnvironment !== undefined,
    );
    expect(foreign.map(({ key }) => key).sort()).toEqual(['default/other-environment', 'default/same-environment']);
  });

  test('[AUTH-07] the display prefix is in the entry and in the status', () => {
    const output = compile(golden('quickstart'));
    expect(keysOf(output)[0]?.prefix).toMatch(/^sk-pc-.{4}$/);
    expect(statusOf(output, 'VirtualKey', 'default/ci').fields['prefix']).toBe(keysOf(output)[0]?.prefix);
  });

  test.each([
    ['short', 'WeakKey'],
    ['dull', 'WeakKey'],
    ['weakened', 'WeakKey'],
    ['provider', 'ProviderKey'],
    ['unfit', 'Invalid'],
  ])('[AUTH-09] an imported value that is %s is refused as %s', (name, reason) => {
    const output = compile(golden('keys-states'));
    expect(condition(output, 'VirtualKey', `default/${name}`, 'Accepted')).toMatchObject({ status: 'False', reason });
    expect(keysOf(output).some(({ key }) => key === `default/${name}`)).toBe(false);
  });

  test('[AUTH-08] what is stored of a key is its keyed hash', () => {
    const input = golden('quickstart');
    const [before] = keysOf(compile(input));
    const peppers = new Map([['default/claude', new SecretText('x'.repeat(32))]]);
    const [after] = keysOf(compile({ ...input, peppers }));
    expect(before?.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(after?.hash).not.toBe(before?.hash);
  });

  test('[KEY-10] disabled and revoked keys stay known as such; a buried value does not come back', () => {
    const states = new Map(keysOf(compile(golden('keys-states'))).map(({ key, state }) => [key, state]));
    expect(states.get('default/disabled')).toBe('Disabled');
    expect(states.get('default/revoked')).toBe('Revoked');
    const output = compile(golden('tombstones'));
    expect(
      keysOf(output)
        .map(({ key }) => key)
        .sort(),
    ).toEqual(['default/fresh', 'default/revoked']);
    const accepted = condition(output, 'VirtualKey', 'default/reimported', 'Accepted');
    expect(accepted).toMatchObject({ status: 'False', reason: 'Tombstoned' });
  });

  test('the oldest of the keys with one value has it, whatever its name; a loser in another namespace reads no name', () => {
    const output = compile(golden('duplicate-keys'));
    expect(keysOf(output, 'platform/claude').map(({ key }) => key)).toContain('platform/z-oldest');
    const message = (key: string) => condition(output, 'VirtualKey', key, 'Accepted')?.message;
    expect(message('platform/a-younger')).toContain('VirtualKey z-oldest');
    expect(message('team-a/elsewhere')).toContain('another VirtualKey');
    expect(message('team-a/elsewhere')).not.toContain('oldest');
  });

  test('[PROV-15] an upstream without its Secret is left out, and its status names Secret and key', () => {
    const output = compile(golden('missing-refs'));
    expect(output.gateways.get('default/claude')?.bundle.upstreams.map(({ name }) => name)).toEqual(['good']);
    expect(condition(output, 'Upstream', 'default/no-key', 'ResolvedRefs')).toMatchObject({
      status: 'False',
      reason: 'RefNotFound',
      message: expect.stringMatching(/Secret other has no key token/) as string,
    });
    expect(Object.keys(output.gateways.get('default/claude')?.credentials.values ?? {})).toEqual([
      'upstreams/default/good/auth',
    ]);
  });

  test('a secret loses the newline an editor left, and only one', () => {
    const values = compile(golden('full')).gateways.get('platform/claude')?.credentials.values ?? {};
    expect(values['upstreams/platform/main/auth']?.reveal()).toBe('provider-token-of-the-golden-files');
  });

  test('[SEC-12] a Gateway others reach without trusted proxies warns; one on loopback or with proxies does not', () => {
    const output = compile(golden('insecure-url'));
    expect(statusOf(output, 'Gateway', 'default/claude').warnings.join()).toContain('trustedProxies');
    expect(statusOf(output, 'Gateway', 'default/local').warnings).toEqual([]);
    expect(statusOf(compile(golden('models')), 'Gateway', 'default/claude').warnings.join()).not.toContain(
      'trustedProxies',
    );
  });

  test('a Gateway without a good pepper is not served', () => {
    const input = golden('quickstart');
    for (const peppers of [new Map<string, SecretText>(), new Map([['default/claude', new SecretText('short')]])]) {
      const output = compile({ ...input, peppers });
      expect(output.gateways.size).toBe(0);
      expect(condition(output, 'Gateway', 'default/claude', 'Accepted')?.reason).toBe('PepperMissing');
      expect(condition(output, 'Policy', 'default/everyone', 'Accepted')?.reason).toBe('GatewayNotAccepted');
    }
  });
});
