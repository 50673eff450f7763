import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { proxyFor } from './proxy.ts';

const PROXY = 'http://proxy.test:3128';
const both = (noProxy: string) => ({ httpProxy: PROXY, httpsProxy: PROXY, noProxy });

describe('proxyFor', () => {
  test.each([
    ['https://api.test', { httpsProxy: 'http://s', noProxy: '' }, 'http://s'],
    ['https://api.test', { httpProxy: 'http://p', noProxy: '' }, undefined],
    ['http://api.test', { httpProxy: 'http://p', noProxy: '' }, 'http://p'],
    ['http://api.test', { httpsProxy: 'http://s', noProxy: '' }, undefined],
    ['https://api.test', { httpsProxy: '', noProxy: '' }, undefined],
  ])('[PROV-31] %s with %j', (origin, settings, expected) => {
    expect(proxyFor(origin, settings)).toBe(expected);
  });

  const direct = (noProxy: string, origin: string): boolean => proxyFor(origin, both(noProxy)) === undefined;

  test.each([
    ['*', 'https://api.test'],
    ['api.test', 'https://api.test'],
    ['API.Test', 'https://api.test'],
    ['api.test.', 'https://api.test'],
    ['api.test', 'https://api.test.'],
    ['test', 'https://api.test'],
    ['.test', 'https://api.test'],
    ['*.test', 'https://a.b.test'],
    ['other, api.test', 'https://api.test'],
    ['other api.test', 'https://api.test'],
    [',, ,api.test,', 'https://api.test'],
    ['api.test:443', 'https://api.test'],
    ['api.test:80', 'http://api.test'],
    ['api.test:8443', 'https://api.test:8443'],
    ['10.0.0.0/8', 'https://10.1.2.3'],
    ['10.1.2.3', 'https://10.1.2.3:8443'],
    ['10.1.2.3/32', 'https://10.1.2.3'],
    ['0.0.0.0/0', 'https://10.1.2.3'],
    ['fd00::/8', 'https://[fd12::1]'],
    ['::1', 'https://[::1]:8443'],
    ['[::1]:8443', 'https://[::1]:8443'],
    ['localhost', 'http://localhost:8080'],
  ])('[PROV-31] NO_PROXY %j sends %s directly', (noProxy, origin) => {
    expect(direct(noProxy, origin)).toBe(true);
  });

  test.each([
    ['', 'https://api.test'],
    ['pi.test', 'https://api.test'],
    ['api.test.org', 'https://api.test'],
    ['sub.api.test', 'https://api.test'],
    ['api.test:80', 'https://api.test'],
    ['api.test:44', 'https://api.test'],
    ['10.0.0.0/8', 'https://11.1.2.3'],
    ['10.0.0.0/8', 'https://10.example'],
    ['10.0.0.0/99', 'https://10.1.2.3'],
    ['10.0.0.0/', 'https://11.0.0.1'],
    ['/', 'https://api.test'],
    ['0.1.2.3', 'https://10.1.2.3'],
    ['fd00::/8', 'https://[fe80::1]'],
    ['[::1]:80', 'https://[::1]'],
  ])('[PROV-31] NO_PROXY %j leaves %s to the proxy', (noProxy, origin) => {
    expect(direct(noProxy, origin)).toBe(false);
  });

  test('no list of any text makes it fail', () => {
    const piece = fc.oneof(fc.string(), fc.constantFrom('*', '/', '10.0.0.0/8', '[', ']', ':', '::', '.', ','));
    fc.assert(
      fc.property(
        fc.array(piece).map((pieces) => pieces.join('')),
        fc.webUrl(),
        (noProxy, url) => {
          expect([undefined, PROXY]).toContain(proxyFor(new URL(url).origin, both(noProxy)));
        },
      ),
    );
  });
});
