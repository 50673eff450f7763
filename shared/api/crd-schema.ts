// From a zod schema to the structural schema a CRD may hold. zod's own JSON Schema is close; this keeps the keywords an API server
// takes, drops what has no meaning there and refuses the rest by name, so that nothing is lost in silence.
import { z } from 'zod';
import { re2Fault } from './crd-pattern.ts';

/** One node of an OpenAPI v3 structural schema. */
export interface StructuralSchema {
  description?: string;
  type?: string;
  format?: string;
  default?: unknown;
  enum?: unknown[];
  properties?: Record<string, StructuralSchema>;
  required?: string[];
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema;
  [keyword: string]: unknown;
}

/** Keywords that are copied, in the order they are written. */
const KEPT = [
  'description',
  'type',
  'format',
  'nullable',
  'default',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'required',
];
/** The calendar is checked by the format. zod's own pattern does that too, but fills a screen wherever an API server cites it. */
const TIME_PATTERN =
  '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$';
const NESTED = ['properties', 'items', 'additionalProperties'];
const DROPPED = new Set(['$schema', 'propertyNames']);

/**
 * @param schema what an author may write (defaults not yet applied)
 * @returns the same as a structural schema, equal bytes for equal input
 * @throws {TypeError} naming the place, when a part of the schema cannot be said in a CRD
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    reused: 'inline',
    cycles: 'throw',
    unrepresentable: 'throw',
    override: ({ zodSchema, path }) => {
      for (const pattern of patternsOf(zodSchema)) refusePattern(pattern.source, pattern.flags, path.join('.'));
    },
  });
  return normalise(json, '');
}

function normalise(json: Record<string, unknown>, place: string): StructuralSchema {
  const out: StructuralSchema = {};
  for (const keyword of Object.keys(json)) {
    if (KEPT.includes(keyword) || NESTED.includes(keyword) || DROPPED.has(keyword)) continue;
    if (!keyword.startsWith('x-kubernetes-'))
      throw new TypeError(`${place || 'root'}: a CRD cannot hold "${keyword}"; write the schema another way`);
  }
  for (const keyword of KEPT) if (json[keyword] !== undefined) out[keyword] = json[keyword];
  if (typeof json['pattern'] === 'string') refusePattern(json['pattern'], '', place);
  if (json['format'] === 'date-time') out['pattern'] = TIME_PATTERN;
  if (json['type'] === 'integer') boundInteger(out);
  for (const keyword of Object.keys(json).sort()) if (keyword.startsWith('x-kubernetes-')) out[keyword] = json[keyword];
  if (json['items'] !== undefined) out.items = normalise(json['items'] as Record<string, unknown>, `${place}[]`);
  const members = json['additionalProperties'];
  // `additionalProperties: false` of a strict object: the API server prunes or refuses unknown fields by itself.
  if (typeof members === 'object' && members !== null)
    out.additionalProperties = normalise(members as Record<string, unknown>, `${place}{}`);
  const properties = Object.entries((json['properties'] ?? {}) as Record<string, Record<string, unknown>>);
  // An API server drops an empty list of members; one that is not there means the same.
  if (properties.length > 0) {
    const below = (name: string): string => (place === '' ? name : `${place}.${name}`);
    out.properties = Object.fromEntries(properties.map(([name, member]) => [name, normalise(member, below(name))]));
  }
  return out;
}

/** zod writes the range of its integer types as bounds; in a CRD that is the format. */
function boundInteger(out: StructuralSchema): void {
  const { minimum, maximum } = out as { minimum?: number; maximum?: number };
  const fits32 = minimum !== undefined && maximum !== undefined && minimum >= -(2 ** 31) && maximum < 2 ** 31;
  out.format = fits32 ? 'int32' : 'int64';
  if (minimum === Number.MIN_SAFE_INTEGER || minimum === -(2 ** 31)) delete out['minimum'];
  if (maximum === Number.MAX_SAFE_INTEGER || maximum === 2 ** 31 - 1) delete out['maximum'];
}

function refusePattern(source: string, flags: string, place: string): void {
  const fault = re2Fault(source, flags);
  if (fault !== undefined) throw new TypeError(`${place || 'root'}: pattern ${source}: ${fault}`);
}

/** JSON Schema has only the text of a pattern; its flags are left in the checks of the zod schema. */
function patternsOf(schema: z.core.$ZodType): RegExp[] {
  const { pattern, checks = [] } = schema._zod.def as { pattern?: unknown; checks?: z.core.$ZodCheck[] };
  const all = [pattern, ...checks.map((check) => (check._zod.def as { pattern?: unknown }).pattern)];
  return all.filter((one) => one instanceof RegExp);
}
