// Refusals in every client format: the shape its clients read, the same meaning, the same advice on retrying. One row a cause.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Dialect } from '#shared/bundle/bundle.ts';
import { CI_KEY, policy, startGateway, withObjects, type TestGateway } from '../harness/gateway.ts';
import { recordOf } from './caller.ts';
import { ask, everyDialect, EVERY_DIALECT, FORMATS, wordsOf, type Format } from './dialects.ts';
import { send, type Answer, type Ask } from './http-client.ts';
import { startScene } from './scene.ts';

const limited = { listen: { limits: { maxBodyBytes: '8Ki', maxUrlBytes: '1Ki' } } };
const { mock, gateway } = await startScene((url) => everyDialect(url, limited));

beforeEach(() => mock.behave(() => ({ kind: 'text' })));

/** Bedrock's exception and Google's code for a cause, in that order. */
type Names = readonly [exception: string, code: string];

interface Cause {
  readonly cause: string;
  readonly status: number;
  /** Where AWS and Google say the same with another status. */
  readonly cloudStatus?: number;
  readonly names: Names;
  readonly message: RegExp;
  readonly retry: boolean;
  ask(format: Format): Promise<Answer>;
}

const message = (format: Format, more: Ask = {}): Promise<Answer> =>
  ask(gateway, format.plain, format.body(false), more);

/** The upstream refuses in its own envelope. */
function upstreamSays(status: number, words: string): (format: Format) => Promise<Answer> {
  return (format) => {
    mock.behave(() => ({ kind: 'status', status, message: words }));
    return message(format);
  };
}

const CAUSES: readonly Cause[] = [
  {
    cause: 'no credential',
    status: 401,
    names: ['UnrecognizedClientException', 'UNAUTHENTICATED'],
    message: /credential is missing/,
    retry: false,
    ask: (format) => send(gateway.url, { path: format.plain, headers: [], body: format.body(false) }),
  },
  {
    cause: 'an unknown key',
    status: 401,
    names: ['UnrecognizedClientException', 'UNAUTHENTICATED'],
    message: /not valid here/,
    retry: false,
    ask: (format) => send(gateway.url, { path: format.plain, headers: ['x-api-key', `${CI_KEY}x`], body: '{}' }),
  },
  {
    cause: 'no such path',
    status: 404,
    names: ['ResourceNotFoundException', 'NOT_FOUND'],
    message: /no such path/,
    retry: false,
    ask: (format) => ask(gateway, `${format.plain}/more`, format.body(false)),
  },
  {
    cause: 'an unknown coding of the body',
    status: 415,
    names: ['ValidationException', 'INVALID_ARGUMENT'],
    message: /Content-Encoding/,
    retry: false,
    ask: (format) => message(format, { headers: ['Content-Encoding', 'rot13'] }),
  },
  {
    cause: 'a body too large',
    status: 413,
    names: ['ValidationException', 'INVALID_ARGUMENT'],
    message: /larger than 8192 bytes/,
    retry: false,
    ask: (format) => ask(gateway, format.plain, format.body(false, { system: 'x'.repeat(9_000) })),
  },
  {
    cause: 'a path too long',
    status: 414,
    names: ['ValidationException', 'INVALID_ARGUMENT'],
    message: /longer than 1024 bytes/,
    retry: false,
    ask: (format) => ask(gateway, `${format.plain}?${'x'.repeat(1_100)}`, format.body(false)),
  },
  {
    cause: 'no JSON',
    status: 400,
    names: ['ValidationException', 'INVALID_ARGUMENT'],
    message: /invalid JSON/,
    retry: false,
    ask: (format) => ask(gateway, format.plain, '{'),
  },
  {
    cause: 'betas without end',
    status: 400,
    names: ['ValidationException', 'INVALID_ARGUMENT'],
    message: /anthropic-beta is longer than 4096/,
    retry: false,
    ask: (format) => message(format, { headers: ['anthropic-beta', 'b'.repeat(4_097)] }),
  },
  {
    cause: 'a prompt too long, as the upstream says',
    status: 400,
    names: ['ValidationException', 'INVALID_ARGUMENT'],
    message: /^prompt is too long: 201000 tokens > 200000 maximum$/,
    retry: false,
    ask: upstreamSays(400, 'prompt is too long: 201000 tokens > 200000 maximum'),
  },
  {
    cause: 'a refusal of the upstream credential',
    status: 403,
    names: ['AccessDeniedException', 'PERMISSION_DENIED'],
    message: /upstream authentication failed at the gateway/,
    retry: false,
    ask: upstreamSays(401, 'invalid x-api-key'),
  },
  {
    cause: 'a rate limit of the upstream',
    status: 429,
    names: ['ThrottlingException', 'RESOURCE_EXHAUSTED'],
    message: /slow down/,
    retry: true,
    ask: upstreamSays(429, 'slow down'),
  },
  {
    cause: 'a failing upstream',
    status: 502,
    names: ['ServiceUnavailableException', 'UNAVAILABLE'],
    message: /all upstreams failed/,
    retry: true,
    ask: upstreamSays(500, 'oops'),
  },
  {
    cause: 'an overloaded upstream',
    status: 529,
    cloudStatus: 503,
    names: ['ServiceUnavailableException', 'UNAVAILABLE'],
    message: /Overloaded/,
    retry: true,
    ask: upstreamSays(529, 'Overloaded'),
  },
];

/** What the cloud of a format calls an error: in a header of AWS, in the body of Google. */
function nativeName(dialect: Dialect, { headers, body }: Answer): unknown {
  if (dialect === 'Bedrock') return headers['x-amzn-errortype'];
  const { error } = JSON.parse(body.toString()) as { error: Record<string, unknown> };
  return dialect === 'Vertex' ? error['status'] : undefined;
}

function nativeNameOf(dialect: Dialect, [exception, code]: Names): string | undefined {
  if (dialect === 'Bedrock') return exception;
  return dialect === 'Vertex' ? code : undefined;
}

describe.each(FORMATS)('$dialect', (format) => {
  const { dialect } = format;
  const isCloud = dialect === 'Bedrock' || dialect === 'Vertex';

  test.each(CAUSES)('[XLAT-19] $cause: $status in its own shape', async (row) => {
    const answer = await row.ask(format);
    const status = isCloud ? (row.cloudStatus ?? row.status) : row.status;
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(wordsOf(dialect, answer)).toMatch(row.message);
    expect(answer.headers['x-should-retry']).toBe(row.retry ? undefined : 'false');
    expect(nativeName(dialect, answer)).toBe(nativeNameOf(dialect, row.names));
    expect(answer.headers['retry-after'] !== undefined).toBe(row.status === 429 || row.status === 529);
    expect(await recordOf(gateway, answer)).toMatchObject({ dialect, status });
  });
});

describe('formats that the platform team did not ask for', () => {
  const withOnly = async (dialects: readonly Dialect[], check: (only: TestGateway) => Promise<void>): Promise<void> => {
    const only = await startGateway(everyDialect(mock.url, { dialects }));
    try {
      await check(only);
    } finally {
      await only.close();
    }
  };

  test.each(EVERY_DIALECT)(
    '[XLAT-16] [XLAT-18] with %s alone, every other path is 404 and says what to set',
    async (served) => {
      await withOnly([served], async (only) => {
        for (const format of FORMATS) {
          const { dialect } = format;
          const asked = [
            await ask(only, format.plain, format.body(false)),
            await ask(only, format.stream, format.body(true)),
            await ask(only, format.count, format.countBody()),
          ];
          for (const answer of asked) {
            expect([dialect, answer.status]).toEqual([dialect, dialect === served ? 200 : 404]);
            const said = answer.status === 200 ? 'served' : wordsOf(dialect, answer);
            expect(said).toContain(dialect === served ? 'served' : `${dialect} to spec.dialects`);
          }
          const unknown = await send(only.url, { path: format.plain, headers: [], body: format.body(false) });
          expect(unknown.status).toBe(401);
        }
      });
    },
  );

  test('a Gateway that says nothing serves the Messages API alone', async () => {
    const { objects, ...rest } = everyDialect(mock.url);
    const plain = objects.map((each) =>
      each.kind === 'Gateway' ? { ...each, spec: { publicUrl: 'http://x.test' } } : each,
    );
    const only = await startGateway({ ...rest, objects: plain });
    try {
      const served = await Promise.all(FORMATS.map((format) => ask(only, format.plain, format.body(false))));
      expect(served.map(({ status }) => status)).toEqual([200, 404, 404, 404, 404]);
      // Anonymous only where it is offered.
      expect((await send(only.url, { method: 'GET', path: '/inference-profiles', headers: [] })).status).toBe(401);
    } finally {
      await only.close();
    }
  });
});

describe('before a key is looked at', () => {
  test.each(FORMATS)('[XLAT-19] $dialect: an address that is not let in hears so in its own format', async (format) => {
    const closed = await startGateway(everyDialect(mock.url, { listen: { access: { allow: ['192.0.2.0/24'] } } }));
    try {
      const answer = await ask(closed, format.plain, format.body(false));
      expect(answer.status).toBe(403);
      expect(wordsOf(format.dialect, answer)).toMatch(/access from 127\.0\.0\.1 is not allowed/);
    } finally {
      await closed.close();
    }
  });

  test('an address that is not let in gets no profiles either', async () => {
    const closed = await startGateway(everyDialect(mock.url, { listen: { access: { allow: ['192.0.2.0/24'] } } }));
    try {
      expect((await send(closed.url, { method: 'GET', path: '/inference-profiles', headers: [] })).status).toBe(403);
    } finally {
      await closed.close();
    }
  });
});

test.each(FORMATS)(
  '[XLAT-19] $dialect: a policy refuses in its own format, with the words of its team',
  async (format) => {
    const strict = policy('everyone', {
      match: { everyone: {} },
      models: { allow: ['claude-opus-*'] },
      denyMessage: 'Opus only, see the wiki.',
    });
    const narrow = await startGateway(withObjects(everyDialect(mock.url), [strict]));
    try {
      const answer = await ask(narrow, format.plain, format.body(false));
      expect(answer.status).toBe(400);
      expect(wordsOf(format.dialect, answer)).toMatch(/is not allowed for you\. Opus only, see the wiki\.$/);
    } finally {
      await narrow.close();
    }
  },
);
