import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatUsd, parseUsd } from './money.ts';

describe('parseUsd', () => {
  it.each([
    ['50.00', 50_000_000_000n],
    ['0', 0n],
    ['0.000000001', 1n],
    ['0.1', 100_000_000n],
    ['007.50', 7_500_000_000n],
    ['999999999999.999999999', 999_999_999_999_999_999_999n],
  ])('reads %s exactly', (text, nano) => {
    expect(parseUsd(text)).toBe(nano);
  });

  it.each([
    '',
    ' ',
    '1 ',
    '-1',
    '+1',
    '1e3',
    '0x10',
    '1.',
    '.5',
    '1,50',
    '1_000',
    '0.0000000001',
    '$5',
    'NaN',
    '٣',
    '1\n',
  ])('refuses %j', (text) => {
    expect(() => parseUsd(text)).toThrow(RangeError);
  });

  it('says what an amount looks like, and does not repeat a huge input', () => {
    expect(() => parseUsd('five')).toThrow('"five" is not an amount in US dollars such as "50.00"');
    expect(() => parseUsd('9'.repeat(5_000))).toThrow(/^"9{40}" is not/);
  });
});

describe('formatUsd', () => {
  it.each([
    [50_000_000_000n, '50.00'],
    [1_500_000n, '0.0015'],
    [1n, '0.000000001'],
    [0n, '0.00'],
    [-2_500_000_000n, '-2.50'],
    [-1n, '-0.000000001'],
  ])('writes %s as %s', (nano, text) => {
    expect(formatUsd(nano)).toBe(text);
  });

  it('writes what parseUsd reads back, for every amount', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 21n - 1n), (nano) => {
        expect(parseUsd(formatUsd(nano))).toBe(nano);
      }),
    );
  });
});
