// Rules by client address: the listener's, those of policies and keys, and whose word is taken for the address.
import { describe, expect, test } from 'vitest';
import { basicResources, CI_KEY, importedKey, policy, withObjects } from '../harness/gateway.ts';
import { bearer, get, outcomeOf, post, recordOf, refusalOf } from './caller.ts';
import { startScene } from './scene.ts';

const LIMITED = 'sk-pc-limited-0123456789abcdefghijklmnopqrstuvwxyz';

const { mock, gateway } = await startScene();

interface Listen {
  readonly trustedProxies?: readonly string[];
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

function listening({ trustedProxies = ['127.0.0.0/8'], allow = [], deny = [] }: Listen) {
  return basicResources(mock.url, { listen: { trustedProxies, access: { allow, deny } } });
}

/** A call as if from an address, through a proxy on loopback. */
const from = (address: string, key = CI_KEY) => post(gateway, { ...bearer(key), 'X-Forwarded-For': address });

describe('the listener', () => {
  test.each([
    ['no rules', {}, '192.0.2.1', true],
    ['allow, within', { allow: ['10.0.0.0/8'] }, '10.255.255.255', true],
    ['allow, outside', { allow: ['10.0.0.0/8'] }, '11.0.0.0', false],
    ['deny, within', { deny: ['10.0.0.0/8'] }, '10.0.0.0', false],
    ['deny, outside', { deny: ['10.0.0.0/8'] }, '9.255.255.255', true],
    ['deny before allow', { allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] }, '10.1.2.3', false],
    ['allow beside deny', { allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] }, '10.2.2.3', true],
    ['IPv6 within', { allow: ['2001:db8::/32'] }, '2001:db8::1', true],
    ['IPv6 outside', { allow: ['2001:db8::/32'] }, '2001:db9::1', false],
    ['an IPv4 address written as IPv6', { deny: ['10.0.0.0/8'] }, '::ffff:10.1.2.3', false],
    ['the same in hexadecimal', { deny: ['10.0.0.0/8'] }, '::FFFF:0a01:0203', false],
  ] as [string, Listen, string, boolean][])('[SEC-11] %s', async (_name, rules, address, admitted) => {
    gateway.reload(listening(rules));
    const received = mock.received();
    const answer = await from(address);
    expect(outcomeOf(answer)).toBe(admitted ? '200' : '403 permission_error');
    expect(mock.received()).toBe(received + (admitted ? 1 : 0));
  });

  test('[SEC-11] [ERR-03] a refusal is JSON, comes before the credential is looked at, and is audited as access.denied', async () => {
    gateway.reload(listening({ deny: ['192.0.2.0/24'] }));
    const answer = await from('192.0.2.7', 'sk-pc-whatever-this-is-not-a-key');
    expect(refusalOf(answer)).toBe(
      '403 permission_error: access from 192.0.2.7 is not allowed: ask your platform team',
    );
    expect(answer.headers['content-type']).toBe('application/json');
    expect(await recordOf(gateway, answer)).toMatchObject({
      event: 'access.denied',
      reason: 'network',
      rule: 'listen.access',
      client_ip: '192.0.2.7',
    });
  });

  test('[SEC-11] neither a path nobody knows nor one nobody can read gets past the rules', async () => {
    gateway.reload(listening({ deny: ['192.0.2.0/24'] }));
    for (const path of ['/v1/models', '/nothing', '/%zz', '/metrics']) {
      const answer = await get(gateway, path, { ...bearer(CI_KEY), 'X-Forwarded-For': '192.0.2.7' });
      expect([path, answer.status]).toEqual([path, 403]);
    }
  });

  test('[SEC-11] probes are exempt', async () => {
    gateway.reload(listening({ trustedProxies: [], allow: ['192.0.2.0/24'] }));
    expect((await post(gateway, bearer(CI_KEY))).status).toBe(403);
    for (const path of ['/healthz', '/readyz', '/health']) expect((await get(gateway, path)).status).toBe(200);
  });
});

describe('X-Forwarded-For', () => {
  const PROXIES = ['127.0.0.0/8', '10.0.0.0/8'];
  test.each([
    ['nobody is trusted', [], '192.0.2.1', '127.0.0.1'],
    ['the peer is not a trusted proxy', ['10.0.0.0/8'], '192.0.2.1', '127.0.0.1'],
    ['one hop', PROXIES, '192.0.2.1', '192.0.2.1'],
    ['a trusted hop in between', PROXIES, '192.0.2.1, 10.1.1.1', '192.0.2.1'],
    ['what the client wrote is left of its own address', PROXIES, '203.0.113.9, 192.0.2.1, 10.1.1.1', '192.0.2.1'],
    ['a client that writes trusted addresses', PROXIES, '10.9.9.9, 192.0.2.1', '192.0.2.1'],
    ['nothing but proxies', PROXIES, '10.2.2.2, 10.1.1.1', '10.2.2.2'],
    ['rubbish', PROXIES, 'unknown', '127.0.0.1'],
    ['rubbish left of a proxy', PROXIES, 'localhost, 10.1.1.1', '10.1.1.1'],
    ['an empty hop', PROXIES, '192.0.2.1, ', '127.0.0.1'],
    ['a port', PROXIES, '192.0.2.1:4711', '192.0.2.1'],
    ['IPv6', PROXIES, '2001:db8::7', '2001:db8::7'],
    ['IPv6 in brackets, with port', PROXIES, '[2001:db8::7]:4711', '2001:db8::7'],
    ['IPv4 written as IPv6', PROXIES, '::ffff:192.0.2.1', '192.0.2.1'],
    ['IPv4 written as IPv6 in capitals', PROXIES, '::FFFF:192.0.2.1', '192.0.2.1'],
    ['an address with a zone', PROXIES, 'fe80::1%eth0', 'fe80::1%eth0'],
  ] as [string, string[], string, string][])('[SEC-12] %s', async (_name, trustedProxies, header, expected) => {
    gateway.reload(listening({ trustedProxies }));
    const answer = await from(header);
    expect(answer.status).toBe(200);
    expect(await recordOf(gateway, answer)).toMatchObject({ client_ip: expected });
  });

  test('[SEC-12] other headers about the client are nobody’s word', async () => {
    gateway.reload(listening({}));
    const answer = await post(gateway, {
      ...bearer(CI_KEY),
      'X-Real-IP': '192.0.2.1',
      Forwarded: 'for=192.0.2.1',
      'X-Client-IP': '192.0.2.1',
    });
    expect(await recordOf(gateway, answer)).toMatchObject({ client_ip: '127.0.0.1' });
  });
});

describe('keys and policies', () => {
  const limited = (key: string[] | undefined, ofPolicy: string[] | undefined, listener: string[] = []) =>
    withObjects(
      listening({ allow: listener }),
      [
        importedKey('limited', {
          owner: { type: 'Team', name: 'build' },
          ...(key === undefined ? {} : { network: { allow: key } }),
        }),
        policy('build', {
          match: { groups: ['build'] },
          denyMessage: 'Ask #ai-platform.',
          ...(ofPolicy === undefined ? {} : { network: { allow: ofPolicy } }),
        }),
      ],
      { 'default/keys': { limited: LIMITED } },
    );

  test.each([
    ['key', ['10.1.0.0/16'], undefined, '10.2.0.1', 'default/limited', 'this key may not be used from 10.2.0.1'],
    ['policy', undefined, ['10.1.0.0/16'], '10.2.0.1', 'default/build', 'access from 10.2.0.1 is not allowed'],
    [
      'key within the policy',
      ['10.1.1.0/24'],
      ['10.1.0.0/16'],
      '10.1.2.1',
      'default/limited',
      'this key may not be used from 10.1.2.1',
    ],
    [
      'policy around the key',
      ['10.0.0.0/8'],
      ['10.1.0.0/16'],
      '10.2.0.1',
      'default/build',
      'access from 10.2.0.1 is not allowed',
    ],
  ] as const)(
    '[AUTHZ-18] [AUTHZ-21] [AUTH-12] refused by the %s',
    async (_name, key, ofPolicy, address, rule, message) => {
      gateway.reload(limited(key && [...key], ofPolicy && [...ofPolicy]));
      for (const ask of [
        from(address, LIMITED),
        get(gateway, '/v1/models', { ...bearer(LIMITED), 'X-Forwarded-For': address }),
        get(gateway, '/v1/health', { ...bearer(LIMITED), 'X-Forwarded-For': address }),
      ]) {
        const answer = await ask;
        expect(refusalOf(answer)).toBe(`403 permission_error: ${message}. Ask #ai-platform.`);
        expect(await recordOf(gateway, answer)).toMatchObject({ event: 'access.denied', reason: 'network', rule });
      }
      expect((await from('10.1.1.9', LIMITED)).status).toBe(200);
    },
  );

  test('[AUTHZ-18] they come on top of the listener’s rules and open nothing these close', async () => {
    gateway.reload(limited(['192.0.2.0/24'], ['192.0.2.0/24'], ['10.0.0.0/8']));
    expect((await from('192.0.2.1', LIMITED)).status).toBe(403);
    expect((await from('10.0.0.1', LIMITED)).status).toBe(403);
  });
});
