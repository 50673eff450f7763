// Ways to present a key that scripts and odd clients use, against the built program: which are the same credential, which are none. Raw
// requests, so that the spelling on the wire is the one written here.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMessages, type HttpMessage } from '../harness/http-transcript.ts';
import { startPortcullis, type PortcullisProcess } from '../harness/portcullis-process.ts';
import { basicResources, CI_KEY, importedKey, withObjects } from '../harness/resources.ts';

const OTHER_KEY = 'sk-pc-other-0123456789abcdefghijklmnopqrstuvwxyzABCD';

let gateway: PortcullisProcess;

beforeAll(async () => {
  // Nothing here needs a provider.
  const resources = basicResources('http://127.0.0.1:9');
  gateway = await startPortcullis(
    withObjects(resources, [importedKey('other')], { 'default/keys': { other: OTHER_KEY } }),
  );
});

afterAll(() => gateway?.stop());

async function get(path: string, headers: readonly string[]): Promise<HttpMessage> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  socket.end(['GET ' + path + ' HTTP/1.1', 'Host: gateway', ...headers, 'Connection: close', '', ''].join('\r\n'));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return readMessages(Buffer.concat(chunks))[0]!;
}

/** Status, and what the audit says of who it was. */
async function outcome(path: string, headers: readonly string[]) {
  const answer = await get(path, headers);
  const id = answer.headers['x-request-id'];
  const { key, credential_source } = await gateway.record(({ request_id }) => request_id === id);
  return { status: Number(answer.startLine.split(' ')[1]), key, source: credential_source };
}

const ci = (source: string) => ({ status: 200, key: 'default/ci', source });
const other = (source: string) => ({ status: 200, key: 'default/other', source });
const nobody = (source?: string) => ({ status: 401, key: undefined, source });

describe.each([
  ['AUTH-25', '/v1/models'],
  ['AUTH-26', '/v1/health'],
])('[%s] GET %s', (_row, path) => {
  test.each([
    ['[AUTH-01]', [`Authorization: Bearer ${CI_KEY}`], ci('authorization')],
    ['[AUTH-01]', [`authorization: bearer ${CI_KEY}`], ci('authorization')],
    ['[AUTH-01]', [`AUTHORIZATION: BEARER ${CI_KEY}`], ci('authorization')],
    ['[AUTH-02]', [`x-api-key: ${CI_KEY}`], ci('x-api-key')],
    ['[AUTH-02]', [`X-API-Key: ${CI_KEY}`], ci('x-api-key')],
    ['[AUTH-03]', [`X-Api-Key: ${CI_KEY}`, `Authorization: Bearer ${CI_KEY}`], ci('x-api-key')],
    ['[AUTH-03]', [`Authorization: Bearer ${CI_KEY}`, `X-Api-Key: ${OTHER_KEY}`], other('x-api-key')],
    ['[AUTH-03]', [`Anthropic-Api-Key: ${OTHER_KEY}`, `Authorization: Bearer ${CI_KEY}`], other('anthropic-api-key')],
    ['[AUTH-03]', [`Anthropic-Api-Key: ${OTHER_KEY}`, `X-Api-Key: ${CI_KEY}`], ci('x-api-key')],
    ['[AUTH-03]', [`X-Api-Key: ${CI_KEY}x`, `Authorization: Bearer ${CI_KEY}`], nobody('x-api-key')],
    ['never open', [], nobody()],
    ['never open', ['Authorization: Bearer'], nobody()],
    ['never open', [`Authorization: Basic ${CI_KEY}`], nobody('authorization')],
    ['never open', [`X-Api-Key: ${CI_KEY.toLowerCase()}`], nobody('x-api-key')],
  ])('%s %j', async (_row, headers, expected) => {
    expect(await outcome(path, headers)).toEqual(expected);
  });
});

test('[ERR-02] the answer to no credential is the envelope clients read, and tells them not to try again', async () => {
  const answer = await get('/v1/models', []);
  expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'x-should-retry': 'false' });
  expect(JSON.parse(answer.body.toString())).toMatchObject({ type: 'error', error: { type: 'authentication_error' } });
});
