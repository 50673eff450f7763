// Prices as people write them, in manifests and in the bundle; prices.ts reads them.

/** US dollars per million tokens, as decimal strings. */
export interface PriceText {
  readonly input: string;
  readonly output: string;
  readonly cacheRead?: string;
  readonly cacheWrite5m?: string;
  readonly cacheWrite1h?: string;
}

export interface PriceOverride {
  /** `namespace/name`; every upstream when absent. */
  readonly upstream?: string;
  readonly model: string;
  readonly price: PriceText;
}
