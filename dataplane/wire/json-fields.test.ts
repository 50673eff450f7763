import { describe, expect, it } from 'vitest';
import { FieldSet, scanTopLevel } from './json-fields.ts';

const WANTED = new FieldSet(['model', 'stream', 'max_tokens', 'thinking', 'speed'], ['model', 'speed']);

const scan = (text: string) => scanTopLevel(Buffer.from(text), WANTED);

/** The found fields as kind and source text. */
function found(text: string): Record<string, [kind: string, text: string]> {
  const body = Buffer.from(text);
  const result = scanTopLevel(body, WANTED);
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`);
  const entries = WANTED.names.flatMap((name) => {
    const field = result.fields[name];
    return field === undefined ? [] : [[name, [field.kind, body.toString('utf8', field.start, field.end)] as const]];
  });
  return Object.fromEntries(entries) as Record<string, [string, string]>;
}

describe('scanTopLevel', () => {
  it('finds wanted fields of every kind and steps over the others', () => {
    expect(
      found(`{"messages":[{"model":"no"}], "model" : "claude\\"x" ,\r\n\t"stream":true,"max_tokens":-1.5e+3,
              "system":"{\\"model\\":1}","thinking":{"type":"enabled","a":[{}]},"speed":null}`),
    ).toEqual({
      model: ['string', '"claude\\"x"'],
      stream: ['true', 'true'],
      max_tokens: ['number', '-1.5e+3'],
      thinking: ['object', '{"type":"enabled","a":[{}]}'],
      speed: ['null', 'null'],
    });
    expect(found('{"model":[1,"]"],"stream":false}')).toEqual({
      model: ['array', '[1,"]"]'],
      stream: ['false', 'false'],
    });
    expect(found(' {} ')).toEqual({});
  });

  it.each([
    ['short', 3],
    ['around the switch to native search', 18],
    ['around the switch to native search', 19],
    ['around the switch to native search', 20],
    ['around the switch to native search', 21],
    ['long', 5000],
  ])('finds the end of a %s string (%i bytes) behind any run of backslashes', (_, length) => {
    for (let run = 0; run < 7; run += 1) {
      const value = JSON.stringify('x'.repeat(length) + '\\'.repeat(run) + '"'.repeat(run % 3) + '","model":"no');
      expect(found(`{"system":${value},"model":${value}}`)).toEqual({ model: ['string', value] });
    }
  });

  it('reads a range of a buffer as if it were the whole', () => {
    const around = Buffer.from('"]}{"model":1}}"');
    expect(scanTopLevel(around, WANTED, 3, 14)).toMatchObject({
      ok: true,
      fields: { model: { kind: 'number', start: 12, end: 13 } },
    });
    for (let end = 3; end < 14; end += 1) {
      expect(scanTopLevel(around, WANTED, 3, end)).toMatchObject({ refusal: 'invalid' });
    }
  });

  it.each([
    '',
    ' ',
    '{',
    '{"',
    '{"model',
    '{"model"',
    '{"model":',
    '{"model":1',
    '{"model":1,',
    '{"model":1,}',
    '{,}',
    '{"a" 1}',
    '{"model":1 "a":2}',
    '{model:1}',
    "{'model':1}",
    '{"model":"x}',
    '{"model":"x\\"}',
    '{"model":[1}',
    '{"model":{"a":1}',
    '{"a":1}x',
    '{"a":1}{}',
    '{"a":1},',
    '\uFEFF{"a":1}',
    '{"a":1}\u00A0',
    '{\u000B"a":1}',
    '{"a":1}\0',
    '//c\n{}',
    '{"a":tru}',
    '{"a":True}',
    '{"a":nul',
    '{"a":falsey}',
    '{"a":NaN}',
    '{"a":undefined}',
    '{"a":}',
    '{"a":/}',
    '{"a":01}',
    '{"a":-}',
    '{"a":+1}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":1e}',
    '{"a":1e+}',
    '{"a":0x1}',
    '{"a":1_000}',
    '{"a\n":1}',
    '{"mo\\del":1}',
    '{"\\u006":1}',
    'nul',
    '1 2',
    '[1',
    '"a',
    '-',
    'x',
  ])('refuses %j as invalid', (text) => {
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
    expect(scan(text)).toMatchObject({ ok: false, refusal: 'invalid' });
  });

  it.each(['[]', ' [{"model":"x"}] ', '"model"', '0', '-1.5e3', 'null', 'true', 'false'])(
    'refuses %j as no object',
    (text) => {
      expect(scan(text)).toEqual({ ok: false, refusal: 'not-object' });
    },
  );

  it('refuses a wanted key that stands there twice, in whatever spelling', () => {
    const repeated = { ok: false, refusal: 'repeated', key: 'model' };
    expect(scan('{"model":"a","model":"a"}')).toEqual(repeated);
    expect(scan('{"model":"a","x":1,"\\u006dodel":"b"}')).toEqual(repeated);
    expect(scan('{"\\u006d\\u006F\\u0064\\u0065\\u006c":"a","model":"b"}')).toEqual(repeated);
    expect(found('{"x":1,"x":2,"model":"a"}')).toEqual({ model: ['string', '"a"'] });
  });

  it('finds a key that is spelt with escapes', () => {
    expect(found('{"m\\u006fdel":"a"}')).toEqual({ model: ['string', '"a"'] });
  });

  it.each(['Model', 'MODEL', 'mod\\u0045l', 'Speed', '\u017Fpeed', '\\u017Fpeed'])(
    'refuses %s, which a parser that ignores case takes for a guarded field',
    (key) => {
      expect(scan(`{"x":1,"${key}":"a"}`)).toEqual({
        ok: false,
        refusal: 'case-variant',
        key: JSON.parse(`"${key}"`) as string,
      });
    },
  );

  it.each(['Stream', 'm0del', 'mode', 'models', '\\u004dodels', 'm\u00F6del', 'model\\u0000', '-odel', 'm/del'])(
    'lets %j pass as a field nobody asked for',
    (key) => {
      const text = `{"${key}":"a"}`;
      expect(found(text)).toEqual({});
    },
  );

  it('counts nesting instead of recursing', () => {
    const depth = 1_000_000;
    expect(scan(`{"a":${'['.repeat(depth)}`)).toMatchObject({ refusal: 'invalid' });
    expect(found(`{"a":${'[{"b":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)},"model":1}`)).toEqual({
      model: ['number', '1'],
    });
  });

  it('takes time in proportion to the body when every second byte is a backslash or every third an escaped quote', () => {
    const text = '\\\\'.repeat(500_000) + '\\"'.repeat(500_000) + 'xxxxxxxxxxxxxxxxxxxxx\\"'.repeat(50_000);
    const started = performance.now();
    expect(found(`{"a":"${text}","model":1}`)).toEqual({ model: ['number', '1'] });
    // About 10 ms; anything that looks at a byte once for each quote would take minutes.
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('FieldSet', () => {
  it.each(['mod\u00E9l', 'a"b', 'a\\b', 'a\nb'])('refuses the name %j, which it could not compare by bytes', (name) => {
    expect(() => new FieldSet([name])).toThrow(TypeError);
  });

  it('keeps the results of two scans apart', () => {
    const first = scan('{"model":1}');
    const second = scan('{"stream":1}');
    expect(first).toMatchObject({ fields: { model: { kind: 'number' }, stream: undefined } });
    expect(second).toMatchObject({ fields: { model: undefined, stream: { kind: 'number' } } });
  });
});
