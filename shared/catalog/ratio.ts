// A factor on a price as an exact fraction: 1.1 has no exact float, 11/10 needs none.

export interface Ratio {
  readonly num: bigint;
  readonly den: bigint;
}

export const ONE: Ratio = Object.freeze({ num: 1n, den: 1n });

const DECIMAL = /^[0-9]{1,9}(\.[0-9]{1,9})?$/;

/**
 * @param text a decimal above zero, such as `1.1`
 * @throws {RangeError} when the text is not a decimal, or is zero: a factor of zero would make every call free
 */
export function parseRatio(text: string): Ratio {
  if (!DECIMAL.test(text)) throw new RangeError(`"${text.slice(0, 40)}" is not a factor such as "1.1"`);
  const [whole = '', fraction = ''] = text.split('.');
  const num = BigInt(whole + fraction);
  if (num === 0n) throw new RangeError(`the factor "${text}" must be greater than 0`);
  return Object.freeze({ num, den: 10n ** BigInt(fraction.length) });
}
