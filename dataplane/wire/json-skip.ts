// Steps over JSON values in a byte buffer without decoding them: strings, numbers, white space, and nested objects and
// arrays by counting brackets. These loops are most of what reading a request costs, so they neither allocate nor recurse.

/** Returned by every `skip…` function that ran off the end or met bytes that are no JSON. */
export const MALFORMED = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * How far a string is read byte by byte before `Buffer.indexOf` takes over. A call into native code costs about 24 ns
 * however near the quote is, a loop about 1.2 ns a byte (Node 24, x64): they meet near 20 bytes.
 */
const SHORT_STRING = 20;

/** How far to go on byte by byte behind an escaped quote that came sooner than a native call pays for. */
const MANY_QUOTES = 64;

/**
 * Steps over the rest of a string.
 *
 * Escapes are stepped over, not checked, and raw control characters pass: a string with such a defect ends where a
 * correct one would, and whoever decodes it refuses it.
 *
 * @param from offset just behind the opening quote
 * @returns offset just behind the closing quote, or {@link MALFORMED} when there is none before `end`
 */
export function skipString(body: Buffer, from: number, end: number): number {
  let at = from;
  let near = from + SHORT_STRING;
  for (;;) {
    if (near > end) near = end;
    while (at < near) {
      const byte = body[at]!;
      if (byte === QUOTE) return at + 1;
      at += byte === BACKSLASH ? 2 : 1;
    }
    if (at >= end) return MALFORMED;
    const quote = body.indexOf(QUOTE, at);
    if (quote < 0 || quote >= end) return MALFORMED;
    // An even run of backslashes is escaped backslashes; an odd one escapes the quote. `at` never lies inside an escape,
    // so the run need not be followed behind it, and no byte is counted twice.
    let run = quote;
    while (run > at && body[run - 1] === BACKSLASH) run -= 1;
    if (((quote - run) & 1) === 0) return quote + 1;
    // Text with one escaped quote has more, about as far apart: near ones go by bytes, or each would cost a native call.
    near = quote - at < SHORT_STRING ? quote + MANY_QUOTES : 0;
    at = quote + 1;
  }
}

/**
 * Steps over an object or array. Brackets are counted, not matched: `[}` passes, and so does any other defect inside.
 * What is asked of the top level (`model`, `stream`) is only acted on when the provider's own parser accepts the whole
 * document, and in every document it accepts the count closes where the brackets do.
 *
 * @param from offset of the opening bracket
 * @returns offset just behind the bracket that closes it, or {@link MALFORMED} when there is none before `end`
 */
export function skipNested(body: Buffer, from: number, end: number): number {
  let depth = 0;
  let at = from;
  while (at < end) {
    const byte = body[at]!;
    at += 1;
    if (byte === QUOTE) {
      at = skipString(body, at, end);
      if (at === MALFORMED) return MALFORMED;
      continue;
    }
    // In ASCII, and only for these four bytes, bit 0x20 is all that tells `[` from `{` and `]` from `}`.
    const bracket = byte | 0x20;
    if (bracket === 0x7b) {
      depth += 1;
    } else if (bracket === 0x7d) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return MALFORMED;
}

/**
 * Steps over a number by the grammar of RFC 8259 section 6.
 *
 * @param from offset of the minus sign or first digit
 * @returns offset just behind the number, or {@link MALFORMED}
 */
export function skipNumber(body: Buffer, from: number, end: number): number {
  let at = from;
  if (at < end && body[at] === 0x2d) at += 1;
  if (at < end && body[at] === ZERO) at += 1;
  else at = skipDigits(body, at, end);
  if (at !== MALFORMED && at < end && body[at] === 0x2e) at = skipDigits(body, at + 1, end);
  if (at !== MALFORMED && at < end && (body[at]! | 0x20) === 0x65) {
    at += 1;
    if (at < end && (body[at] === 0x2b || body[at] === 0x2d)) at += 1;
    at = skipDigits(body, at, end);
  }
  return at;
}

function skipDigits(body: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && body[at]! >= ZERO && body[at]! <= NINE) at += 1;
  return at === from ? MALFORMED : at;
}

/** Steps over the four bytes JSON counts as white space. Returns the first offset that holds another byte, or `end`. */
export function skipSpace(body: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = body[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at += 1;
  }
  return at;
}
