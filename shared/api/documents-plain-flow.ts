// Flow collections that end on their line: {name: claude, labels: {team: build}} and ["a", b].
import { NOT_PLAIN, plainScalar } from './documents-plain-scalar.ts';

const MAX_DEPTH = 50;
const TOKEN = /\s*(?:([{}[\],])|("[^"\\]*"|'[^']*')\s*(:?)|([^\s{}[\],:'"](?:[^{}[\],:]|:(?! |$|[,{}[\]]))*)(:?)) */y;

interface Token {
  readonly mark?: string;
  readonly scalar?: unknown;
  readonly isKey: boolean;
}

/** @returns the collection, or {@link NOT_PLAIN}: also for what is wrong, so that the full parser says how */
export function flowValue(text: string): unknown {
  const tokens = tokenise(text);
  if (tokens === undefined) return NOT_PLAIN;
  const cursor = { tokens, at: 0 };
  const value = collection(cursor, 0);
  return cursor.at === tokens.length ? value : NOT_PLAIN;
}

function tokenise(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null) return undefined;
    const [, mark, quoted, quotedColon, plain, plainColon] = match;
    if (mark !== undefined) {
      tokens.push({ mark, isKey: false });
      continue;
    }
    const scalar = plainScalar((quoted ?? plain ?? '').trimEnd());
    if (scalar === NOT_PLAIN) return undefined;
    tokens.push({ scalar, isKey: (quotedColon ?? plainColon) === ':' });
  }
  return tokens;
}

interface Cursor {
  readonly tokens: readonly Token[];
  at: number;
}

function collection(cursor: Cursor, depth: number): unknown {
  const open = cursor.tokens[cursor.at++]?.mark;
  if (depth > MAX_DEPTH) return NOT_PLAIN;
  const close = open === '{' ? '}' : ']';
  const out: [string, unknown][] = [];
  while (cursor.tokens[cursor.at]?.mark !== close) {
    let key = String(out.length);
    if (open === '{') {
      const token = cursor.tokens[cursor.at++];
      if (token?.isKey !== true || typeof token.scalar !== 'string') return NOT_PLAIN;
      key = token.scalar;
      if (key === '__proto__' || out.some(([earlier]) => earlier === key)) return NOT_PLAIN;
    }
    const value = member(cursor, depth);
    if (value === NOT_PLAIN) return NOT_PLAIN;
    out.push([key, value]);
    if (cursor.tokens[cursor.at]?.mark === ',') cursor.at++;
    else if (cursor.tokens[cursor.at]?.mark !== close) return NOT_PLAIN;
  }
  cursor.at++;
  // Documents share what lines they have in common.
  return Object.freeze(open === '{' ? Object.fromEntries(out) : out.map(([, value]) => value));
}

function member(cursor: Cursor, depth: number): unknown {
  const token = cursor.tokens[cursor.at];
  if (token?.mark === '{' || token?.mark === '[') return collection(cursor, depth + 1);
  if (token === undefined || token.mark !== undefined || token.isKey) return NOT_PLAIN;
  cursor.at++;
  return token.scalar;
}
