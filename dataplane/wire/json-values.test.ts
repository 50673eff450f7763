import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Field, FieldSet, scanTopLevel } from './json-fields.ts';
import { decodeString, fieldBoolean, fieldInteger, fieldString, replaceValue } from './json-values.ts';

const WANTED = new FieldSet(['model', 'x']);

function locate(body: Buffer, name: 'model' | 'x'): Field {
  const result = scanTopLevel(body, WANTED);
  const field = result.ok ? result.fields[name] : undefined;
  if (field === undefined) throw new Error(`${name} not found`);
  return field;
}

describe('accessors', () => {
  it.each<[json: string, text: string | undefined, integer: number | undefined, truth: boolean | undefined]>([
    ['"claude"', 'claude', undefined, undefined],
    ['"\\u0041\\n\\ud83d\\ude00é"', 'A\n😀é', undefined, undefined],
    ['"bad \\x escape"', undefined, undefined, undefined],
    ['"raw \n feed"', undefined, undefined, undefined],
    ['"4096"', '4096', undefined, undefined],
    ['4096', undefined, 4096, undefined],
    ['4096.0', undefined, 4096, undefined],
    ['4.096e3', undefined, 4096, undefined],
    ['-0', undefined, 0, undefined],
    ['1.5', undefined, undefined, undefined],
    ['9007199254740991', undefined, 9007199254740991, undefined],
    ['9007199254740993', undefined, undefined, undefined],
    ['1e400', undefined, undefined, undefined],
    ['true', undefined, undefined, true],
    ['false', undefined, undefined, false],
    ['null', undefined, undefined, undefined],
    ['[1]', undefined, undefined, undefined],
    ['{"a":"b"}', undefined, undefined, undefined],
  ])('reads %s', (json, text, integer, truth) => {
    const body = Buffer.from(`{"x":${json}}`);
    const field = locate(body, 'x');
    expect(fieldString(body, field)).toBe(text);
    expect(fieldInteger(body, field)).toBe(integer);
    expect(fieldBoolean(field)).toBe(truth);
  });

  it('answers undefined for a field that is not there', () => {
    const body = Buffer.from('{}');
    expect([fieldString(body, undefined), fieldInteger(body, undefined), fieldBoolean(undefined)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('decodes what JSON.stringify wrote', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const body = Buffer.from(JSON.stringify({ x: text }));
        expect(decodeString(body, locate(body, 'x'))).toBe(text);
      }),
    );
  });
});

describe('replaceValue', () => {
  it('changes the value and no other byte', () => {
    const text = '{ "a":[1, 2] ,"model" :\t"sonnet-é" , "z":"\\u0041"}\n';
    const body = Buffer.from(text);
    const edited = replaceValue(body, locate(body, 'model'), '"claude-sönnet"');
    expect(edited.toString()).toBe(text.replace('"sonnet-é"', '"claude-sönnet"'));
    expect(body.toString()).toBe(text);
  });

  it('replaces at either end of the object', () => {
    const body = Buffer.from('{"model":1}');
    expect(replaceValue(body, locate(body, 'model'), '"longer"').toString()).toBe('{"model":"longer"}');
  });
});
