// Bodies of every client format: what the gateway read is what the upstream reads, whatever else stands in them; big ones go through.
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ask, BEDROCK_MODEL, bedrockCount, CANONICAL, everyDialect, FORMATS, formatOf, wordsOf } from './dialects.ts';
import { startScene } from './scene.ts';

const { mock, gateway } = await startScene(everyDialect);

let before = 0;

beforeEach(() => {
  mock.behave(() => ({ kind: 'text' }));
  before = mock.received();
});

const received = () => {
  const { headers, body } = mock.requests.at(-1)!;
  return { headers, text: body.toString(), body: JSON.parse(body.toString()) as Record<string, unknown> };
};

describe.each(FORMATS)('$dialect', (format) => {
  const { dialect } = format;
  const inPath = dialect === 'Bedrock' || dialect === 'Vertex';
  const text = JSON.stringify(format.body(false));

  test.each([
    ['[]', 'a JSON object'],
    ['"x"', 'a JSON object'],
    ['null', 'a JSON object'],
    ['{', 'invalid JSON'],
    [' ', 'invalid JSON'],
    [`${text}x`, 'invalid JSON'],
    [`{"stream":false,"stream":true,${text.slice(1)}`, 'more than once'],
    [`{"max_tokens":1,${text.slice(1)}`, 'more than once'],
    [`{"max_t\\u006fkens":1,${text.slice(1)}`, 'more than once'],
    [`{"thinking":{},"thinking":{},${text.slice(1)}`, 'more than once'],
    [`{"Model":"claude-opus-5-5",${text.slice(1)}`, 'in lower case'],
  ])('[XLAT-16] [XLAT-18] %s is refused', async (body, words) => {
    const answer = await ask(gateway, format.plain, body);
    expect(answer.status).toBe(400);
    expect(wordsOf(dialect, answer)).toContain(words);
    expect(mock.received()).toBe(before);
  });

  test('[XLAT-16] [XLAT-18] a model that stands in the path may not stand in the body too', async () => {
    const body = `{"model":"claude-opus-5-5",${JSON.stringify(format.body(false)).slice(1)}`;
    const answer = await ask(gateway, format.plain, body);
    expect(answer.status).toBe(400);
    expect(wordsOf(dialect, answer)).toContain(inPath ? 'leave it out of the body' : 'more than once');
    expect(mock.received()).toBe(before);
  });

  test('[XLAT-16] [XLAT-18] 4 MB go through whole', async () => {
    const system = 'é"\\'.repeat(1_000_000);
    const answer = await ask(gateway, format.plain, format.body(false, { system }));
    expect(answer.status).toBe(200);
    expect(received().body).toMatchObject({ model: CANONICAL, system });
  });

  test('[XLAT-16] [XLAT-18] fields nobody knows, numbers and escapes stay as they were written', async () => {
    const odd = '"not_invented":{"a":1.0,"b":"\\u00e9\\/","c":12345678901234567890}';
    const answer = await ask(gateway, format.plain, `{${odd},${text.slice(1)}`);
    expect(answer.status).toBe(200);
    expect(received().text).toContain(odd);
  });
});

describe('formats with the model in the path', () => {
  test.each([
    ['Bedrock', 'plain', false],
    ['Bedrock', 'stream', true],
    ['Vertex', 'plain', false],
    ['Vertex', 'stream', true],
  ] as const)(
    '[XLAT-16] [XLAT-18] %s %s: the path decides on the stream, not the body',
    async (dialect, door, stream) => {
      const format = formatOf(dialect);
      for (const said of [true, false]) {
        const answer = await ask(gateway, format[door], format.body(false, { stream: said }));
        expect(answer.status).toBe(200);
        expect(received().body['stream'] ?? false).toBe(stream);
        expect(answer.headers['content-type'] === 'application/json').toBe(!stream);
      }
    },
  );

  test('[XLAT-16] betas and version of a Bedrock body become the headers of the Messages API', async () => {
    const betas = ['interleaved-thinking-2025-05-14', 'not-invented-yet-2031-01-01'];
    const format = formatOf('Bedrock');
    const headers = ['anthropic-beta', 'claude-code-20250219', 'Content-Type', 'application/json'];
    const answer = await ask(gateway, format.plain, format.body(false, { anthropic_beta: betas }), { headers });
    expect(answer.status).toBe(200);
    const { headers: sent, body } = received();
    for (const beta of [...betas, 'claude-code-20250219']) expect(sent['anthropic-beta']).toContain(beta);
    expect(sent['anthropic-version']).toBe('2023-06-01');
    expect(Object.keys(body).filter((name) => name.startsWith('anthropic'))).toEqual([]);
  });

  test.each(['Bedrock', 'Vertex'] as const)(
    '[XLAT-16] [XLAT-18] %s: betas in the body have a bound too',
    async (dialect) => {
      const format = formatOf(dialect);
      const many = Array.from({ length: 500 }, (_, i) => `beta-${i}`);
      const answer = await ask(gateway, format.plain, format.body(false, { anthropic_beta: many }));
      expect(answer.status).toBe(400);
      expect(wordsOf(dialect, answer)).toContain('anthropic_beta');
      const twice = `{"anthropic_beta":[],"anthropic_beta":["x"],${JSON.stringify(format.body(false)).slice(1)}`;
      expect((await ask(gateway, format.plain, twice)).status).toBe(400);
      expect(mock.received()).toBe(before);
    },
  );
});

describe('counts of Bedrock', () => {
  const count = `/model/${BEDROCK_MODEL}/count-tokens`;
  const inner = JSON.stringify(formatOf('Bedrock').body(false));
  const base64 = Buffer.from(inner).toString('base64');
  const around = (body: string) => `{"input":{"invokeModel":{"body":${body}}}}`;

  test.each([
    ['{}'],
    ['{"input":{}}'],
    ['{"input":{"invokeModel":{}}}'],
    ['{"input":{"converse":{"messages":[]}}}'],
    [around('1')],
    [around('null')],
    [`{"input":{"invokeModel":{"body":"${base64}","body":"${base64}"}}}`],
    [`{"input":{"invokeModel":{"body":"${base64}"},"invokeModel":{"body":"${base64}"}}}`],
    [`{"input":${JSON.stringify({ invokeModel: { body: base64 } })},"input":{}}`],
    ['[]'],
    ['x'],
  ])('[XLAT-16] %s is no count', async (body) => {
    const answer = await ask(gateway, count, body);
    expect(answer.status).toBe(400);
    expect(wordsOf('Bedrock', answer)).toMatch(/invokeModel/);
    expect(mock.received()).toBe(before);
  });

  test('[XLAT-16] what is inside is read like any body', async () => {
    for (const broken of ['', 'x', '[]', '{"model":"claude-opus-5-5"}', '{"max_tokens":1,"max_tokens":2}']) {
      const answer = await ask(gateway, count, around(JSON.stringify(Buffer.from(broken).toString('base64'))));
      expect([broken, answer.status]).toEqual([broken, 400]);
    }
    expect(mock.received()).toBe(before);
    expect((await ask(gateway, count, around(`"${base64.replaceAll('/', '\\/')}"`))).status).toBe(200);
  });

  test('[XLAT-16] whatever is inside, the upstream gets it whole or not at all', async () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.stringMatching(/^x_[a-z]{1,8}$/), value, { maxKeys: 4 }), async (more) => {
        const body = formatOf('Bedrock').body(false, more);
        const answer = await ask(gateway, count, bedrockCount(body));
        expect(answer.status).toBe(200);
        expect(received().body).toMatchObject(JSON.parse(JSON.stringify(more)) as object);
      }),
      { numRuns: 60 },
    );
  });
});
