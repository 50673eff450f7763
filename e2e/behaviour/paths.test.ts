// Paths: which spellings of a base URL are forgiven, what a wrong path is told, and that nothing is ever answered with a redirect.
import { beforeEach, describe, expect, test } from 'vitest';
import { CI_KEY } from '../harness/gateway.ts';
import { send, type Answer } from './http-client.ts';
import { call, callerHeaders, errorOf } from './routing.ts';
import { startScene } from './scene.ts';

let before = 0;

const { mock, gateway } = await startScene();

beforeEach(() => {
  before = mock.received();
});

describe('base URLs with too much at their end', () => {
  test.each([
    '/v1/v1/messages',
    '//v1/messages',
    '//v1/v1/messages',
    '/v1//v1/messages',
    '///v1///v1/messages',
    '/v1/v1/v1/messages',
    '/v1/v1/messages?beta=true',
  ])('[ROUTE-19] %s is /v1/messages', async (path) => {
    const answer = await call(gateway, {}, { path });
    expect(answer.status).toBe(200);
    const [, query = ''] = path.split('?');
    expect(mock.requests.at(-1)!.url).toBe(query === '' ? '/v1/messages' : `/v1/messages?${query}`);
    const record = await gateway.record((each) => each['request_id'] === answer.headers['x-request-id']);
    expect(record['endpoint']).toBe('/v1/messages');
  });

  test.each([
    ['POST', '/v1/v1/messages/count_tokens', 200],
    ['GET', '/v1/v1/models?limit=1000', 200],
    ['GET', '//v1/models', 200],
    ['GET', '//healthz', 200],
    ['HEAD', '//api/hello', 200],
    ['GET', '/v1/v1/health', 200],
  ])('[ROUTE-19] %s %s works too', async (method, path, status) => {
    const answer = await call(gateway, {}, method === 'POST' ? { path } : { path, method, body: undefined });
    expect(answer.status).toBe(status);
  });

  test('[ROUTE-19] what stands in the query stays as it is', async () => {
    await call(gateway, {}, { path: '/v1/messages?a=/v1/v1/messages&b=//x' });
    expect(mock.requests.at(-1)!.url).toBe('/v1/messages?a=/v1/v1/messages&b=//x');
  });

  test('[ROUTE-19] no spelling gets around the credential', async () => {
    for (const path of [
      '//v1/models',
      '/v1/v1/models',
      '/v1/messages//',
      '//healthz/../v1/models',
      '/healthz/v1/models',
    ]) {
      const answer = await send(gateway.url, { method: 'GET', path, headers: [] });
      expect([path, answer.status]).toEqual([path, 401]);
    }
  });
});

const PATHS = [
  '/', '/v1', '/v1/', '/v1/messages', '/v1/messages/', '/V1/messages', '/v1/messages/x', '/v1/models/', '/v1/models/none',
  '/v1/messages/batches', '/v1/messages/batches/b1/results', '/v1/files', '/v1/complete', '/v1/skills', '/v1/messagesbatches',
  '/managed/settings', '/login', '/oauth', '/..', '/%2e%2e/v1/models', '/%', '/v1/%6dessages', '/v1/models/%zz', '/.well-known/x',
  '/https://elsewhere.test/', '//elsewhere.test/v1/messages', '/\\elsewhere.test', '/metrics', '*',
]; // prettier-ignore
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** JSON; a refusal in the Anthropic envelope with the id of its header. HEAD has the headers only. */
function expectEnvelope(answer: Answer, method: string): void {
  expect(answer.headers['content-type']).toBe('application/json');
  const id = answer.headers['x-request-id'];
  expect(id).toMatch(/./);
  if (method === 'HEAD' || answer.status < 400) return;
  const { type, request_id, error } = errorOf(answer);
  expect([type, request_id]).toEqual(['error', id]);
  expect(error.type).toMatch(/_error$|^not_supported$|^request_too_large$/);
  expect(error.message.length).toBeGreaterThan(5);
  expect(error.message).not.toMatch(/\bat .*\.[jt]s:\d|node:|fastify|undici/i);
}

describe('every path and method', () => {
  test.each(PATHS)(
    '[API-11] [API-17] [ERR-12] %s: no redirect, no HTML, JSON for every refusal, with its id',
    async (path) => {
      for (const method of METHODS) {
        const known = await send(gateway.url, { method, path, headers: callerHeaders() });
        const unknown = await send(gateway.url, { method, path, headers: [] });
        for (const answer of [known, unknown]) {
          expect(answer.status < 300 || answer.status >= 400).toBe(true);
          expect(answer.headers.location).toBeUndefined();
          expectEnvelope(answer, method);
        }
        expect(unknown.status).toBe(401);
      }
      expect(mock.received()).toBe(before);
    },
  );

  test('[API-11] plain http is served as it comes, whatever a proxy says of the scheme', async () => {
    for (const proto of ['https', 'http']) {
      const headers = callerHeaders({ 'X-Forwarded-Proto': proto, 'X-Forwarded-Host': 'elsewhere.test' });
      expect((await call(gateway, {}, { headers })).status).toBe(200);
    }
  });
});

describe('what is not offered', () => {
  test.each([
    ['POST', '/v1/messages/batches'],
    ['GET', '/v1/messages/batches/msgbatch_1/results'],
    ['POST', '/v1/files'],
    ['GET', '/v1/files/file_1/content'],
    ['POST', '/v1/complete'],
    ['GET', '/v1/skills'],
  ])('[API-18] [ERR-17] %s %s: 501 not_supported, no retry', async (method, path) => {
    const answer = await send(gateway.url, { method, path, headers: callerHeaders() });
    expect([answer.status, errorOf(answer).error.type]).toEqual([501, 'not_supported']);
    expect(answer.headers['x-should-retry']).toBe('false');
    const unknown = await send(gateway.url, { method, path, headers: ['x-api-key', `${CI_KEY}x`] });
    expect(unknown.status).toBe(401);
  });

  test.each(['/v1/messagesbatches', '/v1/file', '/managed/settings', '/v1/nothing'])(
    '[ERR-04] %s: 404',
    async (path) => {
      const answer = await send(gateway.url, { method: 'GET', path, headers: callerHeaders() });
      expect([answer.status, errorOf(answer).error.type]).toEqual([404, 'not_found_error']);
    },
  );

  test('[API-18] an upstream that says 501 to a count is passed on as permanent', async () => {
    mock.behave(() => ({ kind: 'status', status: 501, errorType: 'not_supported', message: 'no counting here' }));
    const answer = await call(gateway, {}, { path: '/v1/messages/count_tokens' });
    expect([answer.status, errorOf(answer).error.type]).toEqual([501, 'not_supported']);
    expect(answer.headers['x-should-retry']).toBe('false');
    mock.behave(() => ({ kind: 'text' }));
  });
});
