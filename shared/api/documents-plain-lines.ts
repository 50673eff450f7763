// The lines of plain YAML. In a file of 100,000 documents nearly every line was there before, or was there with another value behind the
// same key, and stands behind the line it stood behind the last time: it is compared with what is expected instead of being read.
import { flowValue } from './documents-plain-flow.ts';
import { NOT_PLAIN, plainScalar } from './documents-plain-scalar.ts';

export interface Line {
  readonly indent: number;
  /** Of a line that begins with a key; undefined for other lines and for keys that are no plain strings. */
  readonly key: string | undefined;
  /** The scalar or flow collection behind the key, frozen, because lines are shared; {@link BLOCK} when nothing stands there. */
  readonly value: unknown;
  /** All of a line that does not begin with a key. */
  readonly content: string;
}

/** Instead of a value: it stands on the lines that follow. */
export const BLOCK = Symbol('block');

/** A line that was read, and what to expect behind it. */
interface KnownLine {
  /** With the line break. */
  readonly raw: string;
  /** `raw` up to the value behind a key, empty for lines of other shape; found when it is asked for. */
  stem: string | undefined;
  /** Comments are known as such, and so are lines that only the full parser may judge. */
  readonly line: Line | typeof COMMENT | typeof NOT_PLAIN;
  /** The line that stood behind this one the last time. */
  next: KnownLine | undefined;
}

/** Lines read before in the same file. */
export class LineMemory {
  /** Of the document at hand: one list for all of them. */
  readonly lines: Line[] = [];
  readonly known = new Map<string, KnownLine>();
  /** Stands before the first line of every document. */
  readonly start: KnownLine = { raw: '', stem: '', line: COMMENT, next: undefined };
}

const COMMENT = Symbol('comment');

const MAX_REMEMBERED = 20_000;

export const KEY = /^(?:([A-Za-z_][A-Za-z0-9_./-]*)|"([^"\\]*)"|'([^']*)'):(?: +|$)/;

/** What may stand behind a key for {@link inlineValue} to judge: printable, no `#` that may begin a comment, no blank at its start. */
const VALUE = /^[!"$-~][ !"$-~]*$/;

/**
 * Reads the lines of a document into `memory.lines`.
 * @returns their number, or undefined when one is not plain
 */
export function plainLines(text: string, memory: LineMemory): number | undefined {
  const { lines } = memory;
  let count = 0;
  let before = memory.start;
  let start = text.startsWith('---\n') ? 4 : 0;
  while (start < text.length) {
    const expected = before.next;
    if (expected !== undefined && text.startsWith(expected.raw, start)) {
      before = expected;
      start += expected.raw.length;
      if (expected.line === NOT_PLAIN) return undefined;
      if (expected.line !== COMMENT) lines[count++] = expected.line;
      continue;
    }
    const feed = text.indexOf('\n', start);
    const end = feed < 0 ? text.length : feed;
    const again = expected === undefined ? undefined : withValue(expected, text, start, end);
    if (again !== undefined) {
      before = expected!;
      lines[count++] = again;
    } else {
      const found = knownLine(text.slice(start, end), memory);
      before.next = found;
      before = found;
      if (found.line === NOT_PLAIN) return undefined;
      if (found.line !== COMMENT) lines[count++] = found.line;
    }
    start = end + 1;
  }
  return count;
}

/** The expected line with another value, if it is that. */
function withValue(expected: KnownLine, text: string, start: number, end: number): Line | undefined {
  const { line } = expected;
  const stem = (expected.stem ??= stemOf(expected));
  if (stem === '' || typeof line === 'symbol' || !text.startsWith(stem, start)) return undefined;
  const value = text.slice(start + stem.length, end);
  if (!VALUE.test(value) || value.endsWith(' ')) return undefined;
  return { indent: line.indent, key: line.key, value: inlineValue(value), content: '' };
}

function stemOf({ raw, line }: KnownLine): string {
  if (typeof line === 'symbol' || line.key === undefined || line.value === BLOCK) return '';
  return raw.slice(0, line.indent + (KEY.exec(raw.trimStart())?.[0].length ?? 0));
}

function knownLine(raw: string, { known }: LineMemory): KnownLine {
  const found = known.get(raw);
  if (found !== undefined) return found;
  const made: KnownLine = { raw: `${raw}\n`, stem: undefined, line: readLine(raw), next: undefined };
  if (known.size < MAX_REMEMBERED) known.set(raw, made);
  return made;
}

function readLine(raw: string): KnownLine['line'] {
  // Blanks other than the space, and texts that only look like blanks, are questions for the full parser.
  if (!/^[ -~]*$/.test(raw) || raw.startsWith('---')) return NOT_PLAIN;
  const content = raw.trim();
  if (content === '' || content.startsWith('#')) return COMMENT;
  // Behind a scalar, `#` may begin a comment or not.
  if (content.includes('#')) return NOT_PLAIN;
  return lineOf(raw.length - raw.trimStart().length, content);
}

/** @param content without blanks around it */
export function lineOf(indent: number, content: string): Line {
  const match = isItem(content) ? null : KEY.exec(content);
  if (match === null) return { indent, key: undefined, value: undefined, content };
  const rest = content.slice(match[0].length);
  const value = rest === '' ? BLOCK : inlineValue(rest);
  return { indent, key: match[2] ?? match[3] ?? plainKey(match[1] ?? ''), value, content: '' };
}

/** @returns the value of text on one line, or {@link NOT_PLAIN} */
export function inlineValue(text: string): unknown {
  return text.startsWith('{') || text.startsWith('[') ? flowValue(text) : plainScalar(text);
}

/** A key such as `yes` or `null` is not a string to YAML. */
function plainKey(text: string): string | undefined {
  return plainScalar(text) === text ? text : undefined;
}

export const isItem = (content: string) => content === '-' || content.startsWith('- ');
