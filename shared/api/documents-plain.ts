// A fast reader for the plain part of YAML in which most manifests are written: block mappings and lists, flow collections that end
// on their line, scalars on one line. Anything else (anchors, tags, block text, escapes, trailing comments, doubtful numbers, errors)
// is not for it: it answers undefined and the full parser decides. It is some 7 times faster, and a test holds it to the full
// parser's answers.
import { NOT_PLAIN } from './documents-plain-scalar.ts';
import { BLOCK, inlineValue, isItem, KEY, lineOf, LineMemory, plainLines, type Line } from './documents-plain-lines.ts';

/**
 * @param memory of the lines of the same file
 * @returns the object, or undefined when the text is not plain, not an object, empty, or wrong
 */
export function readPlain(text: string, memory = new LineMemory()): Record<string, unknown> | undefined {
  const end = plainLines(text, memory);
  if (end === undefined || end === 0) return undefined;
  const cursor = { lines: memory.lines, at: 0, end };
  const first = lineAt(cursor);
  if (first?.indent !== 0 || isItem(first.content)) return undefined;
  const value = mapping(cursor, 0, 0);
  return value === NOT_PLAIN || cursor.at < end ? undefined : (value as Record<string, unknown>);
}

interface Cursor {
  readonly lines: Line[];
  at: number;
  /** Of the document; what stands behind it is of another one. */
  readonly end: number;
}

function lineAt({ lines, at, end }: Cursor): Line | undefined {
  return at < end ? lines[at] : undefined;
}

function mapping(cursor: Cursor, indent: number, depth: number): unknown {
  const out: Record<string, unknown> = {};
  for (let line = lineAt(cursor); line?.indent === indent; line = lineAt(cursor)) {
    const { key } = line;
    if (key === undefined || key === '__proto__' || Object.hasOwn(out, key)) return NOT_PLAIN;
    cursor.at++;
    const value = line.value === BLOCK ? blockAfter(cursor, indent, true, depth) : alone(cursor, line.value, indent);
    if (value === NOT_PLAIN) return NOT_PLAIN;
    out[key] = value;
  }
  return out;
}

function sequence(cursor: Cursor, indent: number, depth: number): unknown {
  const out: unknown[] = [];
  for (let line = lineAt(cursor); line?.indent === indent && isItem(line.content); line = lineAt(cursor)) {
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
  const next = lineAt(cursor);
  return next !== undefined && next.indent > indent ? NOT_PLAIN : value;
}

/** A block on the lines behind a key or a dash. */
function blockAfter(cursor: Cursor, indent: number, ofKey: boolean, depth: number): unknown {
  if (depth > 50) return NOT_PLAIN;
  const next = lineAt(cursor);
  if (next === undefined) return null;
  const deeper = next.indent > indent;
  if (isItem(next.content) && (deeper || (ofKey && next.indent === indent)))
    return sequence(cursor, next.indent, depth + 1);
  return deeper ? mapping(cursor, next.indent, depth + 1) : null;
}
