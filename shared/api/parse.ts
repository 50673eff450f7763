// The door for manifests: whatever a person wrote becomes a typed object here, or a list of everything that is wrong with it.
// Messages name the place and the fix and never repeat a value, because people paste secrets into the wrong field.
import { z } from 'zod';
import type { FieldIssue, RawObject } from '#shared/compile/types.ts';
import { API_VERSION, KINDS, kindInfo, type Kind, type SpecOf } from './kinds.ts';
import { readMetadata, type MetadataFault } from './metadata.ts';

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly FieldIssue[] };

type Path = readonly (string | number)[];

/**
 * Reads the spec of one kind, with defaults applied.
 * @param raw the `spec` member as it was written
 * @returns the typed spec, or every fault with its path from the root of the object
 */
export function parseSpec<K extends Kind>(kind: K, raw: unknown): Parsed<SpecOf[K]> {
  const info = kindInfo(kind);
  if (info === undefined) return refused([issue(['kind'], 'is not a kind of this API')]);
  const plain = info.plain?.(raw);
  if (plain !== undefined) return { ok: true, value: plain as SpecOf[K] };
  const result = info.spec.safeParse(raw, { error: plainMessage });
  if (result.success) return { ok: true, value: result.data as SpecOf[K] };
  return refused(result.error.issues.flatMap((fault) => fieldIssues(kind, fault)));
}

/**
 * Reads everything of an object but its spec: apiVersion, kind and the metadata that this product uses.
 * @param raw one document of a manifest file
 * @param namespace given to an object that names none
 */
export function parseObject(raw: unknown, namespace: string): Parsed<RawObject> {
  if (!isMapping(raw)) return refused([issue([], 'the document must be an object with apiVersion, kind and metadata')]);
  const issues: FieldIssue[] = [];
  checkVersion(raw, issues);
  checkTopLevel(raw, issues);
  checkName(raw, issues);
  const faults: MetadataFault[] = [];
  const metadata = readMetadata(raw['metadata'], namespace, faults);
  for (const { path, message } of faults) issues.push(issue(['metadata', ...path], message));
  if (issues.length > 0) return refused(issues);
  return { ok: true, value: { apiVersion: raw['apiVersion'], kind: String(raw['kind']), metadata, spec: raw['spec'] } };
}

/** `spec.models.allow[0]`; a member that is no plain word is quoted. */
export function pathText(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]{0,62}$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part.length > 63 ? `${part.slice(0, 60)}...` : part)}]`;
  }
  return text;
}

/** A fault whose message starts with its place. */
export function issue(path: Path, message: string): FieldIssue {
  return { path, message: path.length === 0 ? message : `${pathText(path)}: ${message}` };
}

/**
 * The candidate a writer most likely meant.
 * @returns undefined when none is within two edits, or one edit for words of up to four letters
 */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const most = word.length <= 4 ? 1 : 2;
  let best: string | undefined;
  let distance = most + 1;
  for (const candidate of [...candidates].sort()) {
    const found = editDistance(word.toLowerCase(), candidate.toLowerCase(), most);
    if (found < distance) [best, distance] = [candidate, found];
  }
  return best;
}

const refused = (issues: readonly FieldIssue[]): { ok: false; issues: readonly FieldIssue[] } => ({
  ok: false,
  issues,
});

const TOP_LEVEL = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

function checkTopLevel(raw: Record<string, unknown>, issues: FieldIssue[]): void {
  for (const key of Object.keys(raw)) if (!TOP_LEVEL.includes(key)) issues.push(unknownField([key], TOP_LEVEL));
}

/** Some kinds give their name to objects whose names end sooner. */
function checkName({ kind, metadata }: Record<string, unknown>, issues: FieldIssue[]): void {
  const name = isMapping(metadata) ? metadata['name'] : undefined;
  const longest = kindInfo(String(kind))?.maxNameLength;
  if (typeof name !== 'string' || longest === undefined || name.length <= longest) return;
  issues.push(issue(['metadata', 'name'], `must have at most ${longest} characters for a ${String(kind)}`));
}

function checkVersion(raw: Record<string, unknown>, issues: FieldIssue[]): void {
  const { apiVersion, kind } = raw;
  if (apiVersion !== API_VERSION) {
    issues.push(issue(['apiVersion'], apiVersion === undefined ? 'is required' : `must be ${API_VERSION}`));
  }
  if (typeof kind !== 'string') issues.push(issue(['kind'], kind === undefined ? 'is required' : 'must be a string'));
  else if (kindInfo(kind) === undefined) {
    const kinds = KINDS.map((info) => info.kind);
    const meant = didYouMean(kind, kinds);
    const hint = meant === undefined ? `must be one of ${kinds.join(', ')}` : `did you mean ${meant}?`;
    issues.push({ path: ['kind'], message: `unknown kind ${clip(kind)}; ${hint}` });
  }
}

function fieldIssues(kind: Kind, fault: z.core.$ZodIssue): FieldIssue[] {
  const path = pathOf(fault);
  if (fault.code !== 'unrecognized_keys') return [issue(['spec', ...path], fault.message)];
  const known = knownFields(kind, path);
  return fault.keys.map((key) => unknownField(['spec', ...path, key], known));
}

function unknownField(path: Path, known: readonly string[]): FieldIssue {
  const meant = didYouMean(String(path.at(-1)), known);
  return { path, message: `unknown field ${pathText(path)}${meant === undefined ? '' : `; did you mean ${meant}?`}` };
}

type JsonSchema = { properties?: Record<string, JsonSchema>; items?: JsonSchema; additionalProperties?: unknown };

const shapes = new Map<Kind, JsonSchema>();

/** Names of the fields that the schema has at a place. Costs a conversion once per kind, and only when somebody mistyped. */
function knownFields(kind: Kind, path: Path): string[] {
  let shape = shapes.get(kind);
  if (shape === undefined) {
    const schema = kindInfo(kind)?.spec ?? z.unknown();
    shape = z.toJSONSchema(schema, { io: 'input', reused: 'inline', unrepresentable: 'any' }) as JsonSchema;
    shapes.set(kind, shape);
  }
  let at: JsonSchema | undefined = shape;
  for (const part of path) at = typeof part === 'number' ? at?.items : at?.properties?.[part];
  return Object.keys(at?.properties ?? {});
}

const EXPECTED: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  array: 'a list',
  record: 'an object',
  object: 'an object',
  boolean: 'true or false',
  string: 'a string',
};

/** Zod's faults in the words of this API. Rules that carry a message of their own never get here. */
function plainMessage(fault: z.core.$ZodRawIssue): string {
  switch (fault.code) {
    case 'invalid_type':
      return fault.input === undefined
        ? 'is required'
        : `must be ${EXPECTED[fault.expected] ?? `of type ${fault.expected}`}`;
    case 'invalid_value':
      return fault.input === undefined ? 'is required' : `must be ${oneOf(fault.values)}`;
    case 'too_small':
      return `must ${bound('at least', fault.origin, Number(fault.minimum))}`;
    case 'too_big':
      return `must ${bound('at most', fault.origin, Number(fault.maximum))}`;
    case 'invalid_format':
      if (fault.format === 'datetime') return 'must be a time such as 2027-01-01T00:00:00Z';
      return fault.pattern === undefined ? `must be a valid ${fault.format}` : `must match ${fault.pattern}`;
    case 'invalid_key':
      return 'has a name that is too long';
    // Named apart (unrecognized_keys), worded by their rule (custom), or not used by these schemas.
    case 'unrecognized_keys':
    case 'custom':
    case 'invalid_element':
    case 'invalid_union':
    case 'not_multiple_of':
    default:
      return 'is not valid';
  }
}

function bound(which: 'at least' | 'at most', origin: string, limit: number): string {
  const plural = limit === 1 ? '' : 's';
  if (origin === 'string') return `have ${which} ${limit} character${plural}`;
  if (origin === 'array')
    return limit === 1 && which === 'at least' ? 'not be empty' : `have ${which} ${limit} entries`;
  return `be ${which} ${limit}`;
}

function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.map(String).join(', ')}`;
}

const pathOf = (fault: { path: readonly PropertyKey[] }): (string | number)[] =>
  fault.path.map((part) => (typeof part === 'number' ? part : String(part)));

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const clip = (text: string): string => JSON.stringify(text.length > 63 ? `${text.slice(0, 60)}...` : text);

/** Edits between two words, swapped neighbours counting as one; `most + 1` stands for anything farther. */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      let edits = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      edits = Math.min(edits, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(swapped ? Math.min(edits, (before[j - 2] ?? 0) + 1) : edits);
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? most + 1;
}
