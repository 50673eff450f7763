// A fast reader for the plain part of YAML in which most manifests are written: block mappings and lists, flow collections that end
// on their line, scalars on one line. Anything else (anchors, tags, block text, escapes, trailing comments, doubtful numbers, errors)
// is not for it: it answers undefined and the full parser decides. It is some 7 times faster, and a test holds it to the full
// parser's answers.
import { flowValue } from './documents-plain-flow.ts';
import { NOT_PLAIN, plainScalar } from './documents-plain-scalar.ts';

interface Line {
  readonly indent: number;
  readonly content: string;
  /** Of a line that begins with a key; undefined for other lines and for keys that are no plain strings. */
  readonly key: string | undefined;
  /** What stands behind the key. */
  readonly rest: string;
  /** The scalar or flow collection that `rest` is; frozen, because lines are shared. */
  readonly value: unknown;
}

/**
 * Lines read before, by their text. In a file of 100,000 documents all but the names repeat, so most lines are looked up instead of read.
 * Comments are remembered as such, and so are lines that only the full parser may judge.
 */
export type LineMemory = Map<string, Line | typeof COMMENT | typeof NOT_PLAIN>;

const COMMENT = Symbol('comment');

const MAX_REMEMBERED = 20_000;

const KEY = /^(?:([A-Za-z_][A-Za-z0-9_./-]*)|"([^"\\]*)"|'([^']*)'):(?: +|$)/;

/**
 * @param memory of the lines of the same file
 * @returns the object, or undefined when the text is not plain, not an object, empty, or wrong
 */
export function readPlain(text: string, memory: LineMemory = new Map()): Record<string, unknown> | undefined {
  const lines = plainLines(text, memory);
  const first = lines?.[0];
  if (lines === undefined || first === undefined || first.indent !== 0 || isItem(first.content)) return undefined;
  const cursor = { lines, at: 0 };
  const value = mapping(cursor, 0, 0);
  return value === NOT_PLAIN || cursor.at < lines.length ? undefined : (value as Record<string, unknown>);
}

interface Cursor {
  readonly lines: Line[];
  at: number;
}

function plainLines(text: string, memory: LineMemory): Line[] | undefined {
  const lines: Line[] = [];
  let start = text.startsWith('---\n') ? 4 : 0;
  while (start < text.length) {
    const feed = text.indexOf('\n', start);
    const end = feed < 0 ? text.length : feed;
    const raw = text.slice(start, end);
    start = end + 1;
    let line = memory.get(raw);
    if (line === undefined) {
      line = readLine(raw);
      if (memory.size < MAX_REMEMBERED) memory.set(raw, line);
    }
    if (line === NOT_PLAIN) return undefined;
    if (line !== COMMENT) lines.push(line);
  }
  return lines;
}

function readLine(raw: string): Line | typeof COMMENT | typeof NOT_PLAIN {
  // Blanks other than the space, and texts that only look like blanks, are questions for the full parser.
  if (!/^[ -~]*$/.test(raw) || raw.startsWith('---')) return NOT_PLAIN;
  const content = raw.trim();
  if (content === '' || content.startsWith('#')) return COMMENT;
  // Behind a scalar, `#` may begin a comment or not.
  if (content.includes('#')) return NOT_PLAIN;
  return lineOf(raw.length - raw.trimStart().length, content);
}

function lineOf(indent: number, content: string): Line {
  const match = isItem(content) ? null : KEY.exec(content);
  if (match === null) return { indent, content, key: undefined, rest: content, value: undefined };
  const rest = content.slice(match[0].length);
  const value = rest === '' ? undefined : inlineValue(rest);
  return { indent, content, key: match[2] ?? match[3] ?? plainKey(match[1] ?? ''), rest, value };
}

function inlineValue(text: string): unknown {
  return text.startsWith('{') || text.startsWith('[') ? flowValue(text) : plainScalar(text);
}

const isItem = (content: string) => content === '-' || content.startsWith('- ');

function mapping(cursor: Cursor, indent: number, depth: number): unknown {
  const out: Record<string, unknown> = {};
  for (let line = cursor.lines[cursor.at]; line?.indent === indent; line = cursor.lines[cursor.at]) {
    const { key } = line;
    if (key === undefined || key === '__proto__' || Object.hasOwn(out, key)) return NOT_PLAIN;
    cursor.at++;
    const value = line.rest === '' ? blockAfter(cursor, indent, true, depth) : alone(cursor, line.value, indent);
    if (value === NOT_PLAIN) return NOT_PLAIN;
    out[key] = value;
  }
  return out;
}

/** A key such as `yes` or `null` is not a string to YAML. */
function plainKey(text: string): string | undefined {
  return plainScalar(text) === text ? text : undefined;
}

function sequence(cursor: Cursor, indent: number, depth: number): unknown {
  const out: unknown[] = [];
  for (
    let line = cursor.lines[cursor.at];
    line?.indent === indent && isItem(line.content);
    line = cursor.lines[cursor.at]
  ) {
    const rest = line.content.slice(1).trimStart();
    let value: unknown;
    if (isItem(rest)) return NOT_PLAIN;
    if (KEY.test(rest)) {
      // The item is a mapping whose first key stands on the line of the dash.
      const inner = indent + line.content.length - rest.length;
      cursor.lines[cursor.at] = lineOf(inner, rest);
      value = depth > 50 ? NOT_PLAIN : mapping(cursor, inner, depth + 1);
    } else {
      cursor.at++;
      value = rest === '' ? blockAfter(cursor, indent, false, depth) : alone(cursor, inlineValue(rest), indent);
    }
    if (value === NOT_PLAIN) return NOT_PLAIN;
    out.push(value);
  }
  return out;
}

/** A value on the line of its key or dash; a deeper line would continue it. */
function alone(cursor: Cursor, value: unknown, indent: number): unknown {
  const next = cursor.lines[cursor.at];
  return next !== undefined && next.indent > indent ? NOT_PLAIN : value;
}

/** A block on the lines behind a key or a dash. */
function blockAfter(cursor: Cursor, indent: number, ofKey: boolean, depth: number): unknown {
  if (depth > 50) return NOT_PLAIN;
  const next = cursor.lines[cursor.at];
  if (next === undefined) return null;
  const deeper = next.indent > indent;
  if (isItem(next.content) && (deeper || (ofKey && next.indent === indent)))
    return sequence(cursor, next.indent, depth + 1);
  return deeper ? mapping(cursor, next.indent, depth + 1) : null;
}
