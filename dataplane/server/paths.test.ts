import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bundleOf } from '../admit/testing.ts';
import { clientUrl, endpointLabel } from './paths.ts';

const { gateway } = bundleOf({ gateway: { pathPrefixes: ['/a', '/a-b'] } });

describe('the URL of a call', () => {
  const piece = fc.constantFrom(
    '/', '//', '/v1', '/messages', '/model/m', '/projects/p', '/bedrock', '/vertex', '/claude', '/foundry', '/anthropic',
    '/anthropic-aws', '/a', '/a-b', '/inference-profiles', '/..', '%2f', 'x',
  ); // prettier-ignore
  const path = fc.array(piece, { minLength: 1, maxLength: 7 }).map((pieces) => pieces.join(''));

  test('[ROUTE-19] begins with one slash, is never longer than the few letters of a place, and keeps its query', () => {
    fc.assert(
      fc.property(path, fc.string(), (each, query) => {
        const plain = clientUrl(each, gateway);
        expect(plain).toMatch(/^\/(?!\/)/);
        expect(plain.length).toBeLessThanOrEqual(each.length + '/foundry'.length + '/v1'.length);
        expect(clientUrl(`${each}?${query}`, gateway)).toBe(`${plain}?${query}`);
      }),
      { numRuns: 2_000 },
    );
  });

  test('[ROUTE-18] before a configuration is there, prefixes of the platform team are not', () => {
    expect(clientUrl('/a/healthz', undefined)).toBe('/a/healthz');
    expect(clientUrl('/a/healthz', gateway)).toBe('/healthz');
  });

  test.each([
    ['http://gateway.test/v1/messages?beta=true', '/v1/messages?beta=true'],
    ['HTTPS://gateway.test:8443/bedrock/model/m/invoke', '/model/m/invoke'],
    ['http://gateway.test', '/'],
    ['http://gateway.test?x=/v1', '/?x=/v1'],
    ['*', '/*'],
  ])('the absolute form %s is the path in it', (url, path) => {
    expect(clientUrl(url, gateway)).toBe(path);
  });

  test('[ROUTE-18] the longest prefix counts', () => {
    expect(clientUrl('/a-b/v1/models', gateway)).toBe('/v1/models');
  });
});

test.each([
  ['/v1/messages', 'messages'],
  ['/v1/messages/count_tokens', 'count_tokens'],
  ['/v1/models', 'models'],
  ['/v1/health', 'health'],
  ['/.well-known/oauth-authorization-server', 'sign_in'],
  ['/oauth/device_authorization', 'sign_in'],
  ['/.well-known/openid-configuration', 'other'],
  ['/foundry/v1/messages', 'messages'],
  ['/anthropic-aws/v1/messages/count_tokens', 'count_tokens'],
  ['/model/a/invoke', 'messages'],
  ['/model/a/invoke-with-response-stream', 'messages'],
  ['/model/a/count-tokens', 'count_tokens'],
  ['/model/a/converse', 'other'],
  ['/inference-profiles/x', 'inference_profiles'],
  ['/v1/projects/p/locations/l/publishers/anthropic/models/m:streamRawPredict', 'messages'],
  ['/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict', 'count_tokens'],
  ['/v1/projects/p', 'other'],
  ['/constructor', 'other'],
])('%s is counted as %s', (path, label) => {
  expect(endpointLabel(path)).toBe(label);
});
