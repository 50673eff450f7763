// What a key value must be, and how much of it may be shown.

const MIN_LENGTH = 24;
const MIN_BITS = 96;
const PROVIDER_KEY = /^sk-ant-/i;

/** Why a value cannot be a virtual key, as reason and message of Accepted False. The message never holds a part of it. */
export interface ValueFault {
  readonly reason: 'WeakKey' | 'ProviderKey';
  readonly message: string;
}

/**
 * Checks that a value is hard to guess and is not a key of the provider. The strength is Shannon's entropy of the character
 * frequencies times the length (C. E. Shannon, A Mathematical Theory of Communication, 1948): an upper bound for short texts,
 * which still tells words and repetitions from random strings.
 * @param publicPrefix start of the value that everybody knows and that counts for nothing
 */
export function valueFault(value: string, publicPrefix: string): ValueFault | undefined {
  if (PROVIDER_KEY.test(value)) {
    const message =
      'The value starts with sk-ant-: that is a key of the provider; keep it in an Upstream and use another here';
    return { reason: 'ProviderKey', message };
  }
  const secret = publicPrefix !== '' && value.startsWith(publicPrefix) ? value.slice(publicPrefix.length) : value;
  const bits = entropyBits(secret);
  if (secret.length >= MIN_LENGTH && bits >= MIN_BITS) return undefined;
  const message =
    `The value is too easy to guess: it needs at least ${MIN_LENGTH} characters and an estimated entropy (Shannon entropy times length) ` +
    `of at least ${MIN_BITS} bits; use a long random string`;
  return { reason: 'WeakKey', message };
}

/** Used again for every value: making room for the counts would take longer than counting. */
const counts = new Uint32Array(128);
/** A hundred thousand values are judged at every start, and their counts are small. */
const SCALED_LOGS = Float64Array.from({ length: 256 }, (_, count) => computedLog(count));

/** Bits, estimated from how often each character occurs. Takes ASCII, which header-safe values are. */
export function entropyBits(text: string): number {
  counts.fill(0);
  let repeated = 0;
  for (let index = 0; index < text.length; index++) {
    const count = counts[text.charCodeAt(index) & 127]!++;
    repeated += scaledLog(count + 1) - scaledLog(count);
  }
  return scaledLog(text.length) - repeated;
}

/** n · log2 n. */
function scaledLog(count: number): number {
  return SCALED_LOGS[count] ?? computedLog(count);
}

function computedLog(count: number): number {
  return count === 0 ? 0 : count * Math.log2(count);
}

/**
 * The part of a key that lists and logs show: the Gateway's prefix and four characters for keys made here, otherwise the first
 * eight characters; never more than a quarter of what is secret.
 */
export function displayPrefix(value: string, generatedPrefix: string | undefined): string {
  if (generatedPrefix !== undefined && value.startsWith(generatedPrefix)) {
    const secret = value.length - generatedPrefix.length;
    return value.slice(0, generatedPrefix.length + Math.min(4, Math.floor(secret / 4)));
  }
  return value.slice(0, Math.min(8, Math.floor(value.length / 4)));
}
