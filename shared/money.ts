// Money as integer nano-dollars (10^-9 USD): sums of millions of small charges stay exact, and no float ever holds an amount.

/** An amount in nano-dollars: 1 US dollar is 1,000,000,000n. */
export type NanoDollars = bigint;

export const NANO_PER_USD: NanoDollars = 1_000_000_000n;

const FRACTION_DIGITS = 9;

/** The pattern of an amount: no sign, no exponent, no separators, at most nine decimals. */
export const USD_PATTERN = /^[0-9]{1,12}(\.[0-9]{1,9})?$/;

/**
 * @param text a decimal amount in US dollars, such as `50.00` or `0.000000001`
 * @returns the same amount in nano-dollars, exactly
 * @throws {RangeError} when the text is not such an amount
 */
export function parseUsd(text: string): NanoDollars {
  if (!USD_PATTERN.test(text)) {
    throw new RangeError(
      `"${text.slice(0, 40)}" is not an amount in US dollars such as "50.00" (digits, at most nine decimals)`,
    );
  }
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(FRACTION_DIGITS, '0'));
}

/**
 * @param nano an amount in nano-dollars; may be negative, as the difference of two amounts is
 * @returns US dollars with at least two decimals and as many as it takes to be exact: `50.00`, `-0.0015`
 */
export function formatUsd(nano: NanoDollars): string {
  const sign = nano < 0n ? '-' : '';
  const digits = (nano < 0n ? -nano : nano).toString().padStart(FRACTION_DIGITS + 1, '0');
  const whole = digits.slice(0, -FRACTION_DIGITS);
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, '').padEnd(2, '0');
  return `${sign}${whole}.${fraction}`;
}
