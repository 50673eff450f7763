import { expect, test } from 'vitest';
import { proxyFor } from '../route/proxy.ts';
import { environmentProxy } from './environment-proxy.ts';
import { UnusableConfigurationError } from './unusable.ts';

const LOOPBACK = 'localhost,127.0.0.0/8,::1';

test.each([
  [{}, undefined],
  [{ HTTPS_PROXY: '' }, undefined],
  [{ NO_PROXY: 'x' }, undefined],
  [{ HTTPS_PROXY: 'http://p.test:3128' }, { httpsProxy: 'http://p.test:3128/', noProxy: LOOPBACK }],
  [{ https_proxy: 'http://p.test:3128' }, { httpsProxy: 'http://p.test:3128/', noProxy: LOOPBACK }],
  [
    { HTTPS_PROXY: '', https_proxy: 'http://p.test' },
    { httpsProxy: 'http://p.test/', noProxy: LOOPBACK },
  ],
  [
    { https_proxy: 'http://low.test', HTTPS_PROXY: 'http://up.test' },
    { httpsProxy: 'http://low.test/', noProxy: LOOPBACK },
  ],
  [{ HTTP_PROXY: 'p.test:3128' }, { httpProxy: 'http://p.test:3128/', noProxy: LOOPBACK }],
  [
    { HTTP_PROXY: 'https://u:w@p.test', HTTPS_PROXY: 'http://q.test', NO_PROXY: '.corp,10.0.0.0/8' },
    { httpProxy: 'https://u:w@p.test/', httpsProxy: 'http://q.test/', noProxy: `.corp,10.0.0.0/8,${LOOPBACK}` },
  ],
])('[PROV-31] %j', (env, expected) => {
  expect(environmentProxy(env)).toEqual(expected);
});

test('[PROV-31] this machine is reached directly, whatever the environment names', () => {
  const settings = environmentProxy({ HTTP_PROXY: 'http://p.test', HTTPS_PROXY: 'http://p.test' })!;
  for (const origin of ['http://localhost:8080', 'https://127.0.0.1', 'http://127.9.9.9', 'https://[::1]']) {
    expect(proxyFor(origin, settings)).toBeUndefined();
  }
  expect(proxyFor('https://api.test', settings)).toBe('http://p.test/');
});

test.each(['socks5://p.test', 'http://', 'ftp://p.test', 'http://user:secret@:bad'])(
  'refuses %s without repeating it',
  (text) => {
    const read = (): unknown => environmentProxy({ HTTPS_PROXY: text });
    expect(read).toThrow(UnusableConfigurationError);
    expect(read).toThrow(/^HTTPS_PROXY must be an http or https URL, such as http:\/\/proxy\.corp:3128$/);
  },
);
