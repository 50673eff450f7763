// Flow collections that end on their line: {name: claude, labels: {team: build}} and ["a", b].
import { NOT_PLAIN, plainScalar } from './documents-plain-scalar.ts';

const MAX_DEPTH = 50;
/** A scalar without quotes, from its first character on. A colon belongs to it unless a blank, an end or a bracket follows. */
const PLAIN = /[^\s{}[\],:'"](?:[^{}[\],:]|:(?! |$|[,{}[\]]))*/y;

interface Cursor {
  readonly text: string;
  at: number;
  /** Whether a colon followed the last scalar, which makes it a key. */
  isKey: boolean;
}

/** @returns the collection, or {@link NOT_PLAIN}: also for what is wrong, so that the full parser says how */
export function flowValue(text: string): unknown {
  const cursor = { text, at: 0, isKey: false };
  const value = collection(cursor, 0);
  return cursor.at === text.length ? value : NOT_PLAIN;
}

function collection(cursor: Cursor, depth: number): unknown {
  if (depth > MAX_DEPTH) return NOT_PLAIN;
  const value = take(cursor, '{') ? mapping(cursor, depth) : take(cursor, '[') ? list(cursor, depth) : NOT_PLAIN;
  // Documents share what lines they have in common.
  return value === NOT_PLAIN ? NOT_PLAIN : Object.freeze(value);
}

function mapping(cursor: Cursor, depth: number): unknown {
  const out: Record<string, unknown> = {};
  while (!take(cursor, '}')) {
    const key = scalar(cursor);
    if (typeof key !== 'string' || !cursor.isKey || key === '__proto__' || Object.hasOwn(out, key)) return NOT_PLAIN;
    const value = member(cursor, depth);
    if (value === NOT_PLAIN || !(take(cursor, ',') || isNext(cursor, '}'))) return NOT_PLAIN;
    out[key] = value;
  }
  return out;
}

function list(cursor: Cursor, depth: number): unknown {
  const out: unknown[] = [];
  while (!take(cursor, ']')) {
    const value = member(cursor, depth);
    if (value === NOT_PLAIN || !(take(cursor, ',') || isNext(cursor, ']'))) return NOT_PLAIN;
    out.push(value);
  }
  return out;
}

function member(cursor: Cursor, depth: number): unknown {
  if (isNext(cursor, '{') || isNext(cursor, '[')) return collection(cursor, depth + 1);
  const value = scalar(cursor);
  return cursor.isKey ? NOT_PLAIN : value;
}

function scalar(cursor: Cursor): unknown {
  const { text, at } = cursor;
  const quote = text[at];
  const quoted = quote === '"' || quote === "'";
  if (quoted) cursor.at = text.indexOf(quote, at + 1) + 1;
  else {
    PLAIN.lastIndex = at;
    PLAIN.test(text);
    cursor.at = PLAIN.lastIndex;
  }
  // Where no scalar ends, neither search has found anything.
  if (cursor.at === 0) return NOT_PLAIN;
  const written = text.slice(at, cursor.at);
  if (quoted) skipBlanks(cursor);
  cursor.isKey = take(cursor, ':');
  skipBlanks(cursor);
  return plainScalar(quoted ? written : written.trimEnd());
}

const isNext = ({ text, at }: Cursor, mark: string): boolean => text[at] === mark;

/** Steps over a mark and the blanks behind it, if it is there. */
function take(cursor: Cursor, mark: string): boolean {
  if (!isNext(cursor, mark)) return false;
  cursor.at++;
  skipBlanks(cursor);
  return true;
}

function skipBlanks(cursor: Cursor): void {
  while (cursor.text[cursor.at] === ' ') cursor.at++;
}
