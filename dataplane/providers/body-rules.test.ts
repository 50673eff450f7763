// Which bytes and headers leave for each provider family, from each format a client may have used.
import { describe, expect, it } from 'vitest';
import { betaDecider, type BetaOverrides } from '#shared/catalog/beta-decision.ts';
import { builtinBetas } from '#shared/catalog/betas.ts';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { bodyOf } from '../../e2e/bench/bodies.ts';
import { BodyRules, type AdaptedBody, type BodyCall } from './body-rules.ts';

const MODEL = 'claude-sonnet-4-6';
const LOGIN =
  'claude-code-20250219,interleaved-thinking-2025-05-14,tool-search-tool-2025-10-19,effort-2025-11-24,dangerous-tool-use-2026-09-03,afk-mode-2026-01-31';

const rulesOf = (family: ProviderFamily, overrides: BetaOverrides[] = []) =>
  new BodyRules(family, betaDecider(builtinBetas, family, overrides));

const call = (body: string | Buffer, more: Partial<BodyCall> = {}): BodyCall => ({
  body: Buffer.from(body),
  format: 'Messages',
  bodyModel: MODEL,
  model: MODEL,
  stream: true,
  version: '2023-06-01',
  ...more,
});

function adapt(family: ProviderFamily, asked: BodyCall, overrides?: BetaOverrides[]): AdaptedBody & { text: string } {
  const outcome = rulesOf(family, overrides).apply(asked);
  if (!outcome.ok) throw new Error(`refused: ${JSON.stringify(outcome)}`);
  return { ...outcome, text: outcome.body.toString() };
}

const MESSAGES = `{"model":"${MODEL}","messages":[{"role":"user","content":"hé"}], "max_tokens" : 1.0e3,"tags":{"team":"eng"},"stream":true}`;

describe('from Messages', () => {
  it('to Bedrock: no model, no stream, version and betas inside, tags gone, the rest byte for byte [XLAT-05]', () => {
    const bedrock = adapt('Bedrock', call(MESSAGES, { model: `us.anthropic.${MODEL}`, beta: LOGIN }));
    expect(bedrock.text).toBe(
      '{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["interleaved-thinking-2025-05-14","tool-search-tool-2025-10-19","effort-2025-11-24","dangerous-tool-use-2026-09-03"],' +
        '"messages":[{"role":"user","content":"hé"}], "max_tokens" : 1.0e3}',
    );
    expect(bedrock).toMatchObject({ beta: undefined, version: undefined });
    expect(bedrock.dropped).toEqual(['claude-code-20250219', 'afk-mode-2026-01-31']);
  });

  it('to Bedrock without betas: no empty list', () => {
    expect(adapt('Bedrock', call(MESSAGES)).text).toBe(
      '{"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":"hé"}], "max_tokens" : 1.0e3}',
    );
  });

  it('to Vertex: no model, dialect version inside, betas in the header, stream kept, tags gone [XLAT-09]', () => {
    const vertex = adapt('Vertex', call(MESSAGES, { beta: LOGIN }));
    expect(vertex.text).toBe(
      '{"anthropic_version":"vertex-2023-10-16","messages":[{"role":"user","content":"hé"}], "max_tokens" : 1.0e3,"stream":true}',
    );
    expect(vertex.beta).toBe(
      'claude-code-20250219,interleaved-thinking-2025-05-14,tool-search-tool-2025-10-19,effort-2025-11-24,dangerous-tool-use-2026-09-03',
    );
    expect(vertex.version).toBe('2023-06-01');
  });

  it('to Vertex for a count: the model stays inside, under its name there [XLAT-09]', () => {
    const asked = call('{"model":"claude-haiku-4-5","messages":[]}', {
      bodyModel: 'claude-haiku-4-5',
      model: 'claude-haiku-4-5@20251001',
      stream: false,
      modelInBody: true,
    });
    expect(adapt('Vertex', asked).text).toBe(
      '{"anthropic_version":"vertex-2023-10-16","model":"claude-haiku-4-5@20251001","messages":[]}',
    );
  });

  it.each(['Anthropic', 'AnthropicCompatible', 'ClaudePlatformAWS'] as const)(
    'to %s: the very buffer, and both headers as they came [XLAT-01] [XLAT-02]',
    (family) => {
      const asked = call(`{"model":"${MODEL}","anthropic_beta":7,"tags":{},"speed":"fast"}`, {
        beta: ' made-up ,advisor-tool-2026-03-01,, made-up',
        version: '2031-01-01',
      });
      expect(adapt(family, asked)).toMatchObject({ beta: asked.beta, version: '2031-01-01', dropped: [] });
      expect(adapt(family, asked).body).toBe(asked.body);
    },
  );

  it('to Foundry: another model is the only change, tags stay', () => {
    const foundry = adapt('Foundry', call(MESSAGES, { model: 'my "deployment"', beta: 'made-up' }));
    expect(foundry.text).toBe(MESSAGES.replace(`"${MODEL}"`, String.raw`"my \"deployment\""`));
    expect(foundry.beta).toBe('made-up');
  });

  it('to Mantle: Messages with the betas of Bedrock, tags gone', () => {
    const mantle = adapt(
      'BedrockMantle',
      call(MESSAGES, { model: `anthropic.${MODEL}`, beta: 'made-up,effort-2025-11-24' }),
    );
    expect(mantle.text).toBe(MESSAGES.replace(MODEL, `anthropic.${MODEL}`).replace(',"tags":{"team":"eng"}', ''));
    expect(mantle).toMatchObject({ beta: 'effort-2025-11-24', dropped: ['made-up'] });
  });

  it('a safeguards field goes along, and is refused where its beta is denied [XLAT-13]', () => {
    const asked = call(`{"model":"${MODEL}","safeguards":{"a":1}}`, { beta: LOGIN });
    expect(adapt('Bedrock', asked).text).toContain('"safeguards":{"a":1}');
    const denying = rulesOf('Bedrock', [{ deny: ['dangerous-tool-use-*'] }]);
    expect(denying.apply(asked)).toEqual({ ok: false, refusal: 'field', path: 'safeguards' });
    expect(denying.apply(call(`{"model":"${MODEL}"}`, { beta: LOGIN })).ok).toBe(true);
  });

  it('inference_geo is never taken out: where data may go is not for us to forget', () => {
    const body = `{"model":"${MODEL}","inference_geo":"us"}`;
    for (const family of ['Bedrock', 'BedrockMantle', 'Vertex', 'Foundry'] as const) {
      expect(adapt(family, call(body)).text).toContain('"inference_geo":"us"');
    }
  });
});

describe('fields go with their beta', () => {
  const without = (family: ProviderFamily, beta: string, members: string): unknown => {
    const { text } = adapt(family, call(`{"model":"${MODEL}",${members}}`, { beta }));
    const {
      anthropic_version: _v,
      anthropic_beta: _b,
      model: _m,
      stream: _s,
      ...rest
    } = JSON.parse(text) as Record<string, unknown>;
    return rest;
  };

  it.each<[string, ProviderFamily, string, string, unknown]>([
    [
      'edits of one kind, and what holds nothing else',
      'Bedrock',
      'compact-2026-09-04',
      '"x":1,"context_management":{"edits":[{"type":"compact_20260904"}]}',
      { x: 1 },
    ],
    [
      'edits of one kind among others',
      'Bedrock',
      'context-management-2025-06-27,compact-2026-09-04',
      '"context_management":{"edits":[{"type":"clear_tool_uses_20250919"},{"type":"compact_20260904"}]}',
      { context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] } },
    ],
    [
      'the scope of a cache mark wherever marks may stand, and nowhere else',
      'Vertex',
      'prompt-caching-scope-2026-01-05',
      '"cache_control":{"type":"ephemeral","scope":"global"},"system":[{"text":"\\"scope\\"","cache_control":{"scope":"global","type":"ephemeral"}}],' +
        '"tools":[{"cache_control":{"type":"ephemeral","scope":1},"input_schema":{"properties":{"cache_control":{"scope":1}}}}],' +
        '"messages":[{"content":"scope"},{"content":[{"cache_control":{"scope":1,"ttl":"1h"}},{"type":"tool_use","input":{"cache_control":{"scope":1}}},' +
        '{"type":"tool_result","content":[{"cache_control":{"ttl":"5m","scope":1}}]}]}]',
      {
        cache_control: { type: 'ephemeral' },
        system: [{ text: '"scope"', cache_control: { type: 'ephemeral' } }],
        tools: [
          { cache_control: { type: 'ephemeral' }, input_schema: { properties: { cache_control: { scope: 1 } } } },
        ],
        messages: [
          { content: 'scope' },
          {
            content: [
              { cache_control: { ttl: '1h' } },
              { type: 'tool_use', input: { cache_control: { scope: 1 } } },
              { type: 'tool_result', content: [{ cache_control: { ttl: '5m' } }] },
            ],
          },
        ],
      },
    ],
    [
      'fields of tools, not those of their schemas',
      'Vertex',
      'structured-outputs-2025-11-13,fine-grained-tool-streaming-2025-05-14',
      '"output_config":{"format":{"type":"json_schema"},"effort":"high"},"tools":[{"strict":true,"name":"a","eager_input_streaming":true,"input_schema":{"strict":{}}}]',
      { output_config: { effort: 'high' }, tools: [{ name: 'a', input_schema: { strict: {} } }] },
    ],
    [
      'tools of one type',
      'Bedrock',
      'advisor-tool-2026-03-01',
      '"tools":[{"type":"advisor_20260301"},{"name":"advisor_x"},{"type":"custom","name":"b"},{"type":"advisor_20260301"}]',
      { tools: [{ name: 'advisor_x' }, { type: 'custom', name: 'b' }] },
    ],
    [
      'nothing when the beta was not asked for',
      'Vertex',
      '',
      '"tools":[{"strict":true}]',
      { tools: [{ strict: true }] },
    ],
    ['speed even then, where nobody is fast', 'Bedrock', '', '"speed":"fast","x":1', { x: 1 }],
    ['keys spelt with escapes', 'Bedrock', '', String.raw`"\u0074ags":{},"s\u0070eed":"fast","x":1`, { x: 1 }],
    [
      'what is no object, untouched',
      'Vertex',
      'structured-outputs-2025-11-13',
      '"tools":"strict","output_config":[]',
      { tools: 'strict', output_config: [] },
    ],
  ])('%s', (_what, family, beta, members, expected) => {
    expect(without(family, beta, members)).toEqual(expected);
  });

  it('stay with a renamed one, without what the new name does not cover', () => {
    const tools = '"tools":[{"name":"a","defer_loading":true,"input_examples":[{}],"allowed_callers":["direct"]}]';
    const { text } = adapt('Bedrock', call(`{"model":"${MODEL}",${tools}}`, { beta: 'advanced-tool-use-2025-11-20' }));
    expect(text).toBe(
      '{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["tool-search-tool-2025-10-19"],"tools":[{"name":"a","defer_loading":true}]}',
    );
  });
});

describe('anthropic-version', () => {
  const LATER = '2026-10-21';
  const takes = { modelVersions: [LATER] };
  const body = `{"model":"${MODEL}"}`;
  const inside = (text: string) => (JSON.parse(text) as Record<string, unknown>)['anthropic_version'];

  it.each<[ProviderFamily, Partial<BodyCall>, string | undefined, string | undefined]>([
    // Family, call, in the body, in the header.
    ['Bedrock', { version: '2023-06-01' }, 'bedrock-2023-05-31', undefined],
    ['Bedrock', { version: undefined }, 'bedrock-2023-05-31', undefined],
    ['Bedrock', { version: LATER }, 'bedrock-2023-05-31', undefined],
    ['Bedrock', { version: LATER, ...takes }, LATER, undefined],
    ['Bedrock', { version: '2031-01-01', ...takes }, 'bedrock-2023-05-31', undefined],
    ['BedrockMantle', { version: '2023-06-01' }, undefined, '2023-06-01'],
    ['BedrockMantle', { version: undefined }, undefined, '2023-06-01'],
    ['BedrockMantle', { version: LATER }, undefined, '2023-06-01'],
    ['BedrockMantle', { version: LATER, ...takes }, undefined, LATER],
    ['Vertex', { version: LATER }, 'vertex-2023-10-16', LATER],
    ['Vertex', { version: undefined }, 'vertex-2023-10-16', undefined],
    ['Foundry', { version: LATER }, undefined, LATER],
    ['Foundry', { version: undefined }, undefined, '2023-06-01'],
    ['ClaudePlatformAWS', { version: undefined }, undefined, '2023-06-01'],
    ['Anthropic', { version: LATER }, undefined, LATER],
    ['Anthropic', { version: undefined }, undefined, undefined],
  ])('at %s for %o: %s inside, %s in the header', (family, more, inBody, inHeader) => {
    const outcome = adapt(family, call(body, more));
    expect([inside(outcome.text), outcome.version]).toEqual([inBody, inHeader]);
  });

  it.each<[string, ProviderFamily, string | undefined, string | undefined]>([
    ['bedrock-2023-05-31', 'Anthropic', undefined, '2023-06-01'],
    ['bedrock-2023-05-31', 'Vertex', 'vertex-2023-10-16', undefined],
    ['bedrock-2023-05-31', 'Bedrock', 'bedrock-2023-05-31', undefined],
    ['vertex-2023-10-16', 'Bedrock', 'bedrock-2023-05-31', undefined],
    [LATER, 'Anthropic', undefined, LATER],
    [LATER, 'Vertex', 'vertex-2023-10-16', LATER],
    [LATER, 'Bedrock', LATER, undefined],
  ])('%s in the body of a cloud client, at %s', (version, family, inBody, inHeader) => {
    const asked = call(`{"anthropic_version":"${version}","x":1}`, {
      format: 'Bedrock',
      bodyModel: undefined,
      version: undefined,
      ...takes,
    });
    const outcome = adapt(family, asked);
    expect([inside(outcome.text), outcome.version]).toEqual([inBody, inHeader]);
  });
});

describe('from a cloud format', () => {
  const BEDROCK =
    '{"messages":[],"anthropic_beta":["interleaved-thinking-2025-05-14", "tool-search-tool-2025-10-19"],"max_tokens":9,"anthropic_version":"bedrock-2023-05-31"}';
  const cloud = { bodyModel: undefined, beta: 'claude-code-20250219,effort-2025-11-24' } as const;

  it('Bedrock to Anthropic: model and stream come in, betas of header and body together in the header', () => {
    const anthropic = adapt('Anthropic', call(BEDROCK, { ...cloud, format: 'Bedrock' }));
    expect(anthropic.text).toBe(`{"model":"${MODEL}","stream":true,"messages":[],"max_tokens":9}`);
    expect(anthropic.beta).toBe(
      'claude-code-20250219,effort-2025-11-24,interleaved-thinking-2025-05-14,tool-search-tool-2025-10-19',
    );
    const plain = adapt('Anthropic', call(BEDROCK, { ...cloud, format: 'Bedrock', stream: false }));
    expect(plain.text).toBe(`{"model":"${MODEL}","messages":[],"max_tokens":9}`);
  });

  it('Bedrock to Bedrock: the betas of both are sent once', () => {
    const beta = 'effort-2025-11-24,tool-search-tool-2025-10-19';
    expect(JSON.parse(adapt('Bedrock', call(BEDROCK, { ...cloud, beta, format: 'Bedrock' })).text)).toEqual({
      anthropic_version: 'bedrock-2023-05-31',
      anthropic_beta: ['effort-2025-11-24', 'tool-search-tool-2025-10-19', 'interleaved-thinking-2025-05-14'],
      messages: [],
      max_tokens: 9,
    });
  });

  it('a field goes with a beta that stands in the body', () => {
    const body = '{"anthropic_beta":["advisor-tool-2026-03-01"],"tools":[{"type":"advisor_20260301"},{"name":"a"}]}';
    const asked = call(body, { format: 'Bedrock', bodyModel: undefined, stream: false });
    expect(JSON.parse(adapt('Bedrock', asked).text)).toMatchObject({ tools: [{ name: 'a' }] });
    expect(JSON.parse(adapt('Foundry', asked).text)).toMatchObject({ tools: [{ name: 'a' }] });
    expect(adapt('Anthropic', asked)).toMatchObject({ beta: 'advisor-tool-2026-03-01' });
  });

  it('Vertex to Bedrock and back to Messages', () => {
    const vertex = '{"anthropic_version":"vertex-2023-10-16","messages":[],"stream":true}';
    const asked = call(vertex, { ...cloud, format: 'Vertex' });
    expect(adapt('Bedrock', asked).text).toBe(
      '{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["effort-2025-11-24"],"messages":[]}',
    );
    expect(adapt('Foundry', asked).text).toBe(`{"model":"${MODEL}","messages":[],"stream":true}`);
    expect(adapt('Foundry', asked).version).toBe('2023-06-01');
  });

  it('the path decides about the stream, whatever the body says', () => {
    const asked = call('{"messages":[],"stream":true}', { ...cloud, format: 'Vertex', stream: false });
    expect(adapt('Anthropic', asked).text).toBe(`{"model":"${MODEL}","messages":[],"stream":false}`);
    expect(adapt('Vertex', asked).text).toBe('{"anthropic_version":"vertex-2023-10-16","messages":[],"stream":false}');
  });

  it.each([
    ['"effort-2025-11-24"', 'betas'],
    ['[1]', 'betas'],
    ['null', 'betas'],
    ['["a"],"anthropic_beta":["b"]', 'repeated'],
  ])('an anthropic_beta of %s is the fault of the client', (value, refusal) => {
    const asked = call(`{"anthropic_beta":${value}}`, { format: 'Bedrock', bodyModel: undefined });
    expect(rulesOf('Anthropic').apply(asked)).toMatchObject({ ok: false, refusal });
  });
});

describe('limits and defects', () => {
  it.each<[ProviderFamily, number]>([
    ['Bedrock', 20 * 2 ** 20],
    ['Vertex', 30 * 2 ** 20],
  ])('%s takes %d bytes of what is sent, and not one more', (family, limit) => {
    const filled = (length: number) => call(`{"model":"${MODEL}","x":"${'x'.repeat(length)}"}`, { stream: false });
    const overhead = adapt(family, filled(0)).body.length;
    const rules = rulesOf(family);
    expect(rules.apply(filled(limit - overhead)).ok).toBe(true);
    expect(rules.apply(filled(limit - overhead + 1))).toEqual({ ok: false, refusal: 'too-large', limit });
  });

  it.each([
    '',
    '[]',
    '{"a":1',
    '{"a":1}}',
    '{"a" 1}',
    '{"a":}',
    '{,}',
    '{"a":1,}',
    '{a:1}',
    '{"tools":[{"strict":true},]}',
    '{"tools":[{"strict":}]}',
    String.raw`{"\x":1}`,
  ])('a body such as %s is refused, not mended', (body) => {
    const asked = call(body, { beta: 'structured-outputs-2025-11-13' });
    expect(rulesOf('Bedrock').apply(asked)).toEqual({ ok: false, refusal: 'invalid' });
  });

  it('the turn of the benchmark stays what it is, but for what Bedrock does not take [XLAT-05]', () => {
    const turn = bodyOf('turn');
    const { model: _m, stream: _s, ...rest } = JSON.parse(turn.toString()) as Record<string, unknown>;
    const beta = 'claude-code-20250219,interleaved-thinking-2025-05-14,effort-2025-11-24';
    expect(JSON.parse(adapt('Bedrock', call(turn, { beta })).text)).toEqual({
      anthropic_version: 'bedrock-2023-05-31',
      anthropic_beta: ['interleaved-thinking-2025-05-14', 'effort-2025-11-24'],
      ...rest,
    });
  });
});
