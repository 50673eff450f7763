// Kubernetes quantities for sizes ("32Mi", "64Ki", "1G"), as far as byte counts need them.

const FACTOR: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};

/** The pattern every size field carries in its schema. */
export const QUANTITY_PATTERN = /^[0-9]+(k|M|G|Ki|Mi|Gi)?$/;

/**
 * @param text a size such as `32Mi`
 * @returns bytes
 * @throws {RangeError} when the text is not a size
 */
export function parseQuantity(text: string): number {
  const match = QUANTITY_PATTERN.exec(text);
  if (!match) throw new RangeError(`"${text}" is not a size such as 64Ki or 32Mi`);
  const unit = match[1] ?? '';
  return Number(text.slice(0, text.length - unit.length)) * (FACTOR[unit] ?? 1);
}
