// Manifests as people write them: YAML or JSON text of several documents into objects that remember where they stand. Values are
// read at once; positions only when somebody asks, by reading the one document again, so that 100,000 documents stay cheap.
import { parseAllDocuments, type Document as YamlDocument, type ScalarTag, type YAMLError } from 'yaml';
import { locateNode, linesOf, type Lines, type Path, type Position } from './documents-position.ts';
import { LineMemory } from './documents-plain-lines.ts';
import { readPlain } from './documents-plain.ts';

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

interface Source {
  readonly file: string;
  readonly text: string;
  readonly lines: Lines;
}

/** Where a value stands: below `prefix` in one of the documents between two offsets of a file. */
interface Place {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
  readonly index: number;
  readonly prefix: Path;
}

const ROOT: Path = [];

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
  const source = { file, text, lines: linesOf(text) };
  const memory = new LineMemory();
  // Directives and `...` belong to the full parser, which then gets the whole text.
  const isWhole = /^(?:%|\.\.\.(?:\s|$))/m.test(text);
  for (let start = 0, end; start < text.length; start = end) {
    end = isWhole ? text.length : nextMarker(text, start);
    const place = { source, start, end, index: 0, prefix: ROOT };
    const plain = readPlain(text.slice(start, end), memory);
    if (plain === undefined) readFully(place, documents, faults);
    else expand(plain, place, documents, faults);
  }
  return { documents, faults };
}

const MARKER = /^---(?=\s|$)/gm;

/** Offset of the next `---` line behind the one at `start`, or of the end. */
function nextMarker(text: string, start: number): number {
  MARKER.lastIndex = start + 1;
  return MARKER.test(text) ? MARKER.lastIndex - '---'.length : text.length;
}

function readFully(part: Place, documents: Document[], faults: Fault[]): void {
  try {
    for (const [index, parsed] of parse(textOf(part)).entries()) {
      if (parsed.errors.length > 0) {
        faults.push(...faultsOf(parsed.errors, part));
        continue;
      }
      const value: unknown = parsed.toJS({ maxAliasCount: MAX_ALIASES });
      if (value !== null) expand(value, { ...part, index }, documents, faults);
    }
  } catch (error) {
    // The parser throws for aliases beyond the bound, and by exhaustion of the stack for nesting beyond reason.
    const message = /alias/i.test(String(error))
      ? `uses anchors more than ${MAX_ALIASES} times or without a definition`
      : 'is nested too deeply';
    faults.push({ ...positionOf(part, 0), message });
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
function faultsOf(errors: readonly YAMLError[], part: Place): Fault[] {
  const text = textOf(part);
  const repeated = errors.filter((error) => error.code === 'DUPLICATE_KEY');
  const syntax = errors.find((error) => error.code !== 'DUPLICATE_KEY');
  return [...repeated, ...(syntax === undefined ? [] : [syntax])].map((error) => {
    const at = error.pos[0];
    const key = /^(?:"([^"]*)"|'([^']*)'|([^\s:,{}]+))/.exec(text.slice(at, at + 256));
    // Some messages end with the offending text, which may be a secret.
    const message =
      error.code === 'DUPLICATE_KEY'
        ? `repeats the key ${key?.[1] ?? key?.[2] ?? key?.[3] ?? ''}`
        : error.message.replace(/(?<=\w): [^]*$/, '');
    return { ...positionOf(part, at), message };
  });
}

/** A class, because there may be 100,000 and a method each costs more than the text. */
class PlacedDocument implements Document {
  readonly value: Document['value'];
  readonly #place: Place;

  constructor(value: Document['value'], place: Place) {
    this.value = value;
    this.#place = place;
  }

  locate(path: Path): Position {
    return locate(this.#place, path);
  }
}

function expand(value: unknown, place: Place, documents: Document[], faults: Fault[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.push({ ...locate(place, []), message: 'must be an object with apiVersion, kind, metadata and spec' });
    return;
  }
  const object = value as Record<string, unknown>;
  if (object['kind'] === 'List' && Array.isArray(object['items'])) {
    for (const [index, item] of (object['items'] as unknown[]).entries())
      expand(item, { ...place, prefix: [...place.prefix, 'items', index] }, documents, faults);
    return;
  }
  documents.push(new PlacedDocument(object, place));
}

function locate(place: Place, path: Path): Position {
  const parsed = parse(textOf(place))[place.index];
  return positionOf(place, parsed === undefined ? 0 : locateNode(parsed, [...place.prefix, ...path]));
}

function textOf({ source, start, end }: Place): string {
  return source.text.slice(start, end);
}

/** @param offset from the start of the part */
function positionOf({ source, start }: Place, offset: number): Position {
  return source.lines.at(source.file, start + offset);
}
