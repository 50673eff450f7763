// Manifests as people write them: YAML or JSON text of several documents into objects that remember where they stand. Values are
// read at once; positions only when somebody asks, by reading the one document again, so that 100,000 documents stay cheap.
import { parseAllDocuments, type Document as YamlDocument, type ScalarTag, type YAMLError } from 'yaml';
import { locateNode, linesOf, type Lines, type Path } from './documents-position.ts';
import { readPlain, type LineMemory } from './documents-plain.ts';

/** A place in a file; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Document {
  readonly value: Readonly<Record<string, unknown>>;
  /**
   * Where a member stands: its key in an object, itself in a list. What is not there is answered by the nearest parent that is,
   * so a missing field points at the object it is missing from.
   */
  readonly locate: (path: Path) => Position;
}

export interface Fault extends Position {
  readonly message: string;
}

/** Anchors may be used this often in one document, counted through nesting; more is an attack or a mistake. */
const MAX_ALIASES = 100;

/** kubectl reads YAML 1.1 here: a bare `off` is false to a cluster, so it must not be the word "off" to us. */
const wordBoolean: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  identify: (value) => typeof value === 'boolean',
  test: /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/,
  resolve: (word) => /^(?:y|on)/i.test(word),
};

interface Chunk {
  readonly file: string;
  readonly text: string;
  /** Offset of `text` in the file. */
  readonly start: number;
  readonly lines: Lines;
}

/**
 * Reads every document of a file. Empty documents are skipped and `kind: List` is replaced by its items. A document with a fault
 * is left out; the others are still read.
 *
 * @param text YAML or JSON
 * @param file name for positions
 */
export function readDocuments(text: string, file: string): { documents: Document[]; faults: Fault[] } {
  const documents: Document[] = [];
  const faults: Fault[] = [];
  const lines = linesOf(text);
  const memory: LineMemory = new Map();
  for (const [start, end] of split(text)) {
    const chunk = { file, text: text.slice(start, end), start, lines };
    const plain = readPlain(chunk.text, memory);
    if (plain === undefined) readFully(chunk, documents, faults);
    else expand(plain, [], (path) => locate(chunk, 0, path), documents, faults);
  }
  return { documents, faults };
}

/** Offsets of the parts between `---` lines. Directives and `...` belong to the full parser, which then gets the whole text. */
function split(text: string): [number, number][] {
  if (/^(?:%|\.\.\.(?:\s|$))/m.test(text)) return [[0, text.length]];
  const starts = [0, ...Array.from(text.matchAll(/^---(?=\s|$)/gm), (marker) => marker.index)];
  return starts.map((start, index) => [start, starts[index + 1] ?? text.length]);
}

function readFully(chunk: Chunk, documents: Document[], faults: Fault[]): void {
  try {
    for (const [index, parsed] of parse(chunk.text).entries()) {
      if (parsed.errors.length > 0) {
        faults.push(...faultsOf(parsed.errors, chunk));
        continue;
      }
      const value: unknown = parsed.toJS({ maxAliasCount: MAX_ALIASES });
      if (value !== null) expand(value, [], (path) => locate(chunk, index, path), documents, faults);
    }
  } catch (error) {
    // The parser throws for aliases beyond the bound, and by exhaustion of the stack for nesting beyond reason.
    const message = /alias/i.test(String(error))
      ? `uses anchors more than ${MAX_ALIASES} times or without a definition`
      : 'is nested too deeply';
    faults.push({ ...chunk.lines.at(chunk.file, chunk.start), message });
  }
}

function parse(text: string): YamlDocument.Parsed[] {
  const parsed = parseAllDocuments(text, {
    merge: true,
    prettyErrors: false,
    logLevel: 'error',
    customTags: (tags) => [wordBoolean, ...tags],
  });
  return Array.isArray(parsed) ? parsed : [];
}

/** The first syntax error of a document, because the rest usually follows from it, and every repeated key. */
function faultsOf(errors: readonly YAMLError[], chunk: Chunk): Fault[] {
  const repeated = errors.filter((error) => error.code === 'DUPLICATE_KEY');
  const syntax = errors.find((error) => error.code !== 'DUPLICATE_KEY');
  return [...repeated, ...(syntax === undefined ? [] : [syntax])].map((error) => {
    const at = error.pos[0];
    const key = /^(?:"([^"]*)"|'([^']*)'|([^\s:,{}]+))/.exec(chunk.text.slice(at, at + 256));
    // Some messages end with the offending text, which may be a secret.
    const message =
      error.code === 'DUPLICATE_KEY'
        ? `repeats the key ${key?.[1] ?? key?.[2] ?? key?.[3] ?? ''}`
        : error.message.replace(/(?<=\w): [^]*$/, '');
    return { ...chunk.lines.at(chunk.file, chunk.start + at), message };
  });
}

function expand(value: unknown, prefix: Path, place: Document['locate'], documents: Document[], faults: Fault[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.push({ ...place(prefix), message: 'must be an object with apiVersion, kind, metadata and spec' });
    return;
  }
  const object = value as Record<string, unknown>;
  if (object['kind'] === 'List' && Array.isArray(object['items'])) {
    for (const [index, item] of (object['items'] as unknown[]).entries())
      expand(item, [...prefix, 'items', index], place, documents, faults);
    return;
  }
  documents.push({ value: object, locate: (path) => place([...prefix, ...path]) });
}

function locate(chunk: Chunk, index: number, path: Path): Position {
  const parsed = parse(chunk.text)[index];
  const offset = parsed === undefined ? 0 : locateNode(parsed, path);
  return chunk.lines.at(chunk.file, chunk.start + offset);
}
