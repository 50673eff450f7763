// A fast reader for the plain part of YAML in which most manifests are written: block mappings and lists, flow collections that end
// on their line, scalars on one line. Anything else (anchors, tags, block text, escapes, trailing comments, doubtful numbers, errors)
// is not for it: it answers undefined and the full parser decides. It is some 7 times faster, and a test holds it to the full
// parser's answers.
import { flowValue } from './documents-plain-flow.ts';
import { NOT_PLAIN, plainScalar } from './documents-plain-scalar.ts';

interface Line {
  readonly indent: number;
  readonly content: string;
}

const KEY = /^(?:([A-Za-z_][A-Za-z0-9_./-]*)|"([^"\\]*)"|'([^']*)'):(?: +|$)/;

/** @returns the object, or undefined when the text is not plain, not an object, empty, or wrong */
export function readPlain(text: string): Record<string, unknown> | undefined {
  const lines = plainLines(text);
  const first = lines?.[0];
  if (lines === undefined || first === undefined || first.indent !== 0 || isItem(first)) return undefined;
  const cursor = { lines, at: 0 };
  const value = mapping(cursor, 0, 0);
  return value === NOT_PLAIN || cursor.at < lines.length ? undefined : (value as Record<string, unknown>);
}

interface Cursor {
  readonly lines: Line[];
  at: number;
}

function plainLines(text: string): Line[] | undefined {
  const lines: Line[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    if (raw === '' || (index === 0 && raw === '---')) continue;
    // Blanks other than the space, and texts that only look like blanks, are questions for the full parser.
    if (!/^[ -~]*$/.test(raw) || raw.startsWith('---')) return undefined;
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    // Behind a scalar, `#` may begin a comment or not.
    if (content.includes('#')) return undefined;
    const indent = raw.length - raw.trimStart().length;
    lines.push({ indent, content });
  }
  return lines;
}

const isItem = (line: Line) => line.content === '-' || line.content.startsWith('- ');

function mapping(cursor: Cursor, indent: number, depth: number): unknown {
  const out: Record<string, unknown> = {};
  for (let line = cursor.lines[cursor.at]; line?.indent === indent; line = cursor.lines[cursor.at]) {
    const match = KEY.exec(line.content);
    const key = match === null || isItem(line) ? undefined : (match[2] ?? match[3] ?? plainKey(match[1] ?? ''));
    if (match === null || key === undefined || key === '__proto__' || Object.hasOwn(out, key)) return NOT_PLAIN;
    cursor.at++;
    const value = valueAfter(cursor, line.content.slice(match[0].length), indent, true, depth);
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
  for (let line = cursor.lines[cursor.at]; line?.indent === indent && isItem(line); line = cursor.lines[cursor.at]) {
    const rest = line.content.slice(1).trimStart();
    let value: unknown;
    if (isItem({ indent, content: rest })) return NOT_PLAIN;
    if (KEY.test(rest)) {
      // The item is a mapping whose first key stands on the line of the dash.
      const inner = indent + line.content.length - rest.length;
      cursor.lines[cursor.at] = { indent: inner, content: rest };
      value = depth > 50 ? NOT_PLAIN : mapping(cursor, inner, depth + 1);
    } else {
      cursor.at++;
      value = valueAfter(cursor, rest, indent, false, depth);
    }
    if (value === NOT_PLAIN) return NOT_PLAIN;
    out.push(value);
  }
  return out;
}

/** What follows a key or a dash: a scalar or flow collection on the line, or a block on the next ones. */
function valueAfter(cursor: Cursor, rest: string, indent: number, ofKey: boolean, depth: number): unknown {
  const next = cursor.lines[cursor.at];
  const deeper = next !== undefined && next.indent > indent;
  if (rest !== '') {
    // A deeper line would continue the scalar.
    if (deeper) return NOT_PLAIN;
    return rest.startsWith('{') || rest.startsWith('[') ? flowValue(rest) : plainScalar(rest);
  }
  if (depth > 50) return NOT_PLAIN;
  if (next !== undefined && isItem(next) && (deeper || (ofKey && next.indent === indent)))
    return sequence(cursor, next.indent, depth + 1);
  return deeper && next !== undefined ? mapping(cursor, next.indent, depth + 1) : null;
}
