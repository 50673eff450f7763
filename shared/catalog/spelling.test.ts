import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtinCatalog } from './catalog.ts';
import { BEDROCK_GEOS, canonicalModel, spellingsOf } from './spelling.ts';

const { models } = builtinCatalog;
const idOf = (name: string) => canonicalModel(name, models)?.id;

const HAIKU = 'claude-haiku-4-5-20251001';
const SONNET_35 = 'claude-3-5-sonnet-20241022';

describe('canonicalModel', () => {
  it.each([
    ['claude-haiku-4-5-20251001', HAIKU],
    ['claude-haiku-4-5', HAIKU],
    ['CLAUDE-Haiku-4-5', HAIKU],
    ['anthropic/claude-haiku-4-5', HAIKU],
    ['anthropic.claude-haiku-4-5', HAIKU],
    ['anthropic.claude-haiku-4-5-20251001-v1:0', HAIKU],
    ['anthropic.claude-haiku-4-5-20251001-v1', HAIKU],
    ['anthropic.claude-haiku-4-5-20251001', HAIKU],
    ['anthropic.claude-haiku-4-5-20251001-v1:0:200k', HAIKU],
    ['US.Anthropic.Claude-Haiku-4-5-20251001-v1:0', HAIKU],
    ['claude-haiku-4-5@20251001', HAIKU],
    ['Claude-Haiku-4-5@20251001', HAIKU],
    ['claude-haiku-4-5@default', HAIKU],
    ['claude-haiku-4-5%4020251001', HAIKU],
    ['vertex_ai/claude-haiku-4-5@20251001', HAIKU],
    ['publishers/anthropic/models/claude-haiku-4-5@20251001', HAIKU],
    ['projects/p-1/locations/us-east5/publishers/anthropic/models/claude-haiku-4-5', HAIKU],
    ['bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0', HAIKU],
    ['bedrock/converse/anthropic.claude-haiku-4-5-20251001-v1:0', HAIKU],
    ['bedrock/us-gov-west-1/anthropic.claude-haiku-4-5-20251001-v1:0', HAIKU],
    ['bedrock/anthropic/claude-haiku-4-5', HAIKU],
    ['azure_ai/claude-haiku-4-5', HAIKU],
    ['arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0', HAIKU],
    ['arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0', HAIKU],
    ['arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.anthropic.claude-haiku-4-5-20251001-v1:0', HAIKU],
    ['arn:aws:bedrock:eu-west-1:1:inference-profile%2Feu.anthropic.claude-haiku-4-5-20251001-v1%3A0', HAIKU],
    ['arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2feu.anthropic.claude-haiku-4-5-20251001-v1%3a0', HAIKU],
    ['bedrock/arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0', HAIKU],
    ['claude-opus-4-6', 'claude-opus-4-6'],
    ['anthropic.claude-opus-4-6-v1', 'claude-opus-4-6'],
    ['anthropic.claude-opus-4-6', 'claude-opus-4-6'],
    ['global.anthropic.claude-opus-4-6-v1:0', 'claude-opus-4-6'],
    ['us.anthropic.claude-sonnet-4-6', 'claude-sonnet-4-6'],
    ['anthropic.claude-opus-5-5-v1:0', 'claude-opus-5-5'],
    ['us.anthropic.claude-mythos-5', 'claude-mythos-5'],
    ['claude-opus-4-0', 'claude-opus-4-20250514'],
    ['claude-opus-4', 'claude-opus-4-20250514'],
  ])('resolves %s to %s [AUTHZ-03]', (name, id) => {
    expect(idOf(name)).toBe(id);
  });

  it.each([
    'claude-3-5-sonnet-20241022',
    'anthropic.claude-3-5-sonnet-20241022-v2:0',
    'us.anthropic.claude-3-5-sonnet-20241022-v2:0',
    'claude-3-5-sonnet@20241022',
    'claude-3-5-sonnet-v2@20241022',
  ])('maps the old spelling %s [XLAT-20]', (name) => {
    expect(idOf(name)).toBe(SONNET_35);
  });

  it.each([
    ['sonnet', 'a family name'],
    ['opus', 'a family name'],
    ['claude-sonnet', 'a family without version'],
    ['anthropic.opus', 'a family name'],
    ['default', 'an alias of the client'],
    ['claude-opus-4-8-20260101', 'an invented date'],
    ['claude-haiku-4-5-20251002', 'an invented date'],
    ['claude-haiku-4-5@20251002', 'an invented date'],
    ['claude-3-5-sonnet', 'either of two models'],
    ['claude-3-5-sonnet-20241022-v1:0', 'a version that never was'],
    ['claude-opus-5-5-v2:0', 'a version that never was'],
    ['custom--us.anthropic.claude-sonnet-4-5-20250929-v1', 'a custom name'],
    ['my/claude-opus-5-5', 'a foreign prefix'],
    ['xx.anthropic.claude-opus-5-5', 'no geo'],
    ['us.claude-opus-5-5', 'a geo without provider'],
    ['us.eu.anthropic.claude-opus-5-5', 'two geos'],
    ['us.anthropic.us.anthropic.claude-opus-5-5', 'a profile in a profile'],
    ['anthropic.anthropic/claude-opus-5-5', 'two providers'],
    ['claude-opus-5-5[1m][1m]', 'two suffixes'],
    ['[1m]', 'only a suffix'],
    ['claude-opus-5-5[2m]', 'another suffix'],
    ['arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123', 'opaque'],
    ['arn:aws:bedrock:us-east-1:1:application-inference-profile/us.anthropic.claude-opus-5-5', 'named by its owner'],
    ['arn:aws:bedrock:us-east-1:1:provisioned-model/abc123', 'opaque'],
    ['arn:aws:s3:::claude-opus-5-5', 'another service'],
    ['claude%252Dopus', 'doubly encoded'],
    ['arn:aws:bedrock:us-east-1::foundation-model%252Fanthropic.claude-opus-5-5', 'doubly encoded'],
    [' claude-opus-5-5', 'a space'],
    ['claude-opus-5-5 ', 'a space'],
    ['claude-opus-5-5\n', 'a line end'],
    ['claude-opus-5-5\0', 'a NUL'],
    ['claude-hai\u212Au-5-5', 'a Kelvin sign, which folds to k'],
    ['ⅽlaude-opus-5-5', 'a Roman numeral that looks like c'],
    ['', 'nothing'],
    ['constructor', 'a property of every object'],
    ['__proto__', 'a property of every object'],
  ])('does not know %j: %s [AUTHZ-03]', (name) => {
    expect(canonicalModel(name, models)).toBeUndefined();
  });

  it('reports the long context suffix and drops it from the id [AUTHZ-03]', () => {
    expect(canonicalModel('claude-sonnet-4-6[1m]', models)).toEqual({ id: 'claude-sonnet-4-6', longContext: true });
    expect(canonicalModel('us.anthropic.claude-opus-4-6-v1[1M]', models)).toEqual({
      id: 'claude-opus-4-6',
      longContext: true,
      geo: 'us',
    });
    expect(canonicalModel('claude-sonnet-4-6%5b1m%5d', models)?.longContext).toBe(true);
    expect(canonicalModel('claude-sonnet-4-6', models)?.longContext).toBe(false);
  });

  it.each(BEDROCK_GEOS)('reports the geo %s of a Bedrock profile', (geo) => {
    expect(canonicalModel(`${geo}.anthropic.claude-opus-5-5`, models)).toMatchObject({ id: 'claude-opus-5-5', geo });
    expect(canonicalModel(`${geo.toUpperCase()}.anthropic.claude-opus-5-5-v1:0`, models)).toMatchObject({ geo });
  });

  it('refuses names over 256 characters without looking at them', () => {
    const prefix = 'projects/';
    const rest = '/locations/l/publishers/anthropic/models/claude-opus-5-5';
    const name = (length: number) => prefix + 'p'.repeat(length - prefix.length - rest.length) + rest;
    expect(idOf(name(256))).toBe('claude-opus-5-5');
    expect(idOf(name(257))).toBeUndefined();
    expect(idOf('-v1:0'.repeat(2_000_000))).toBeUndefined();
  });

  // Built from the data, so a model added tomorrow is covered.
  const model = fc.constantFrom(...models.models);
  const mixedCase = (text: string) =>
    fc
      .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
      .map((upper) =>
        text.replace(/[a-z]/g, (letter, index: number) => (upper[index] ? letter.toUpperCase() : letter)),
      );
  const platforms = ['', 'bedrock/', 'vertex_ai/', 'azure_ai/'];
  // An ARN holds a Bedrock id and nothing else.
  const arns = [
    'arn:aws:bedrock:us-east-1:123456789012:inference-profile/',
    'arn:aws:bedrock:us-east-1::foundation-model%2F',
  ];
  const wrappersOf = (name: string) => (name.includes('anthropic.') ? [...platforms, ...arns] : platforms);

  it('brings every spelling, in any case, wrapped in any way, back to its own id [AUTHZ-03]', () => {
    const spelled = model.chain((row) =>
      fc
        .constantFrom(...spellingsOf(row.id, models))
        .chain((name) => fc.tuple(fc.constantFrom(...wrappersOf(name)), fc.constant(name), fc.constantFrom('', '[1m]')))
        .chain((parts) => mixedCase(parts.join('')))
        .map((name) => ({ id: row.id, name })),
    );
    fc.assert(
      fc.property(spelled, ({ id, name }) => {
        expect(idOf(name)).toBe(id);
      }),
      { numRuns: 1_000 },
    );
  });

  it('never throws, and an answer is a model of the catalog [AUTHZ-03]', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom(
        'us.',
        'anthropic.',
        'anthropic/',
        'arn:aws:bedrock:',
        '::',
        '%2f',
        '%',
        '%zz',
        '@',
        '-v1',
        ':0',
        '[1m]',
      ),
      fc.constantFrom('claude-', 'opus-', '5-5', 'claude-opus-5-5', '20251001', 'projects/', '/models/', '\ud800'),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
        (name) => {
          const found = canonicalModel(name, models);
          expect(found === undefined || models.byId.has(found.id)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('ignores nothing after a name but its version, @default and [1m] [AUTHZ-03]', () => {
    const pieces = [
      '-v1',
      '-v2',
      ':0',
      ':200k',
      '@default',
      '@latest',
      '-latest',
      '[1m]',
      ' ',
      '/',
      '.',
      '-',
      '%20',
      '%5b1m%5d',
    ];
    const tail = fc
      .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ minLength: 1, maxLength: 2 })), {
        minLength: 1,
        maxLength: 4,
      })
      .map((list) => list.join(''));
    fc.assert(
      fc.property(model, tail, (row, tail) => {
        const allowed = /^(?:-v[12](?::0(?::200k)?)?)?(?:@default)?(?:\[1m\]|%5b1m%5d)?$/.test(tail);
        expect(idOf(row.id + tail) !== row.id || allowed).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('spellingsOf', () => {
  it('lists what patterns may name, the id first [AUTHZ-03]', () => {
    const names = spellingsOf(HAIKU, models);
    expect(names[0]).toBe(HAIKU);
    expect(names).toEqual(
      expect.arrayContaining([
        'claude-haiku-4-5',
        'claude-haiku-4-5@20251001',
        'anthropic/claude-haiku-4-5',
        'anthropic.claude-haiku-4-5',
        'anthropic.claude-haiku-4-5-20251001-v1:0',
        'eu.anthropic.claude-haiku-4-5-20251001-v1:0',
        'us-gov.anthropic.claude-haiku-4-5-20251001-v1',
      ]),
    );
  });

  it('is empty for a model outside the catalog', () => {
    expect(spellingsOf('gpt-9', models)).toEqual([]);
    expect(spellingsOf('constructor', models)).toEqual([]);
  });
});
