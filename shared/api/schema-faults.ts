// For every bound of a schema a value that breaks it, and what an API server says to that: the table of bad manifests is the schema itself,
// so no bound can be added without a case. Unit tests put it to our own reader, a test with an API server to that.
import type { StructuralSchema } from './crd-schema.ts';
import { schemaNodes, type SchemaNode } from './crd-walk.ts';

export interface SchemaFault {
  /** The bound that is broken, as the keyword that sets it. */
  readonly keyword: string;
  /** As the server writes it, such as `spec.listen.trustedProxies[0]`. */
  readonly place: string;
  /** Members from the root of the object to {@link value}. */
  readonly path: readonly (string | number)[];
  readonly value: unknown;
  /** What the server says of it, whole; other faults of the same object may stand beside it. */
  readonly says: string;
}

/** Some value of another type than the one asked for, with the name the server has for its type. */
const OTHER_TYPES: Readonly<Record<string, readonly [value: unknown, name: string]>> = {
  string: [7, 'integer'],
  integer: ['x', 'string'],
  boolean: ['x', 'string'],
  array: ['x', 'string'],
  object: ['x', 'string'],
};

/** A name in a map whose names are free. */
const MAP_KEY = 'some';

/** @param root name of the member the schema is of, such as `spec` */
export function schemaFaults(schema: StructuralSchema, root: string): SchemaFault[] {
  return schemaNodes(schema, root).flatMap((node) => {
    const path = pathOf(node.place);
    const place = textOf(path);
    return faultsAt(node, place, root === 'status' ? textOf(path.slice(1)) : place).map(
      ([keyword, value, says, ...below]) => {
        const whole = [...path, ...below];
        return { keyword, value, path: whole, place: textOf(whole), says };
      },
    );
  });
}

type Broken = readonly [keyword: string, value: unknown, says: string, ...below: string[]];

/** @param inBody the place as the second half of a message has it: the server looks at a status by itself */
function faultsAt({ schema }: SchemaNode, place: string, inBody: string): Broken[] {
  const invalid = (value: unknown): string => `${place}: Invalid value: ${JSON.stringify(value)}: ${inBody} in body`;
  return [
    typeFault(schema, invalid),
    ...textFaults(schema, place, invalid),
    ...numberFaults(schema, invalid),
    ...listFaults(schema, place, invalid),
    ...objectFaults(schema, place),
  ];
}

type Invalid = (value: unknown) => string;

function typeFault({ type = '', format }: StructuralSchema, invalid: Invalid): Broken {
  const [value, name] = OTHER_TYPES[type] ?? [null, ''];
  const [wanted, given] = format === 'date-time' ? [format, 'int64'] : [type, name];
  return ['type', value, `${invalid(given)} must be of type ${wanted}: "${given}"`];
}

function textFaults(schema: StructuralSchema, place: string, invalid: Invalid): Broken[] {
  const { type, enum: options, pattern, minLength = 0, maxLength, format } = schema;
  const faults: Broken[] = [];
  if (type !== 'string') return faults;
  if (options !== undefined) {
    const choice = options.map((each) => JSON.stringify(each)).join(', ');
    faults.push(['enum', 'nonsense', `${place}: Unsupported value: "nonsense": supported values: ${choice}`]);
  }
  const [shortest, longest] = [Number(minLength), Number(maxLength)];
  if (shortest > 0) {
    const value = 'x'.repeat(shortest - 1);
    faults.push(['minLength', value, `${invalid(value)} should be at least ${shortest} chars long`]);
  }
  if (maxLength !== undefined)
    faults.push(['maxLength', 'x'.repeat(longest + 1), `${place}: Too long: may not be more than ${longest} bytes`]);
  if (typeof pattern === 'string') {
    const value = ' '.repeat(Math.max(shortest, 1));
    faults.push(['pattern', value, `${invalid(value)} should match '${pattern}'`]);
  }
  if (format === 'date-time') {
    const value = '2027-02-30T00:00:00Z';
    faults.push(['format', value, `${invalid(value)} must be of type date-time: "${value}"`]);
  }
  return faults;
}

function numberFaults({ minimum, maximum }: StructuralSchema, invalid: Invalid): Broken[] {
  const faults: Broken[] = [];
  const beyond = (value: number, bound: string): string => `${invalid(value)} should be ${bound}`;
  if (typeof minimum === 'number')
    faults.push(['minimum', minimum - 1, beyond(minimum - 1, `greater than or equal to ${minimum}`)]);
  if (typeof maximum === 'number')
    faults.push(['maximum', maximum + 1, beyond(maximum + 1, `less than or equal to ${maximum}`)]);
  return faults;
}

function listFaults(schema: StructuralSchema, place: string, invalid: Invalid): Broken[] {
  const faults: Broken[] = [];
  const { items, minItems, maxItems } = schema;
  if (items === undefined) return faults;
  const options = items.enum ?? [];
  const entries = (count: number): unknown[] =>
    Array.from({ length: count }, (_, index) => (items.type === 'string' ? (options[index] ?? `e${index}`) : {}));
  if (typeof minItems === 'number')
    faults.push(['minItems', entries(minItems - 1), `${invalid(minItems - 1)} should have at least ${minItems} items`]);
  if (typeof maxItems === 'number')
    faults.push([
      'maxItems',
      entries(maxItems + 1),
      `${place}: Too many: ${maxItems + 1}: must have at most ${maxItems} items`,
    ]);
  const [first] = entries(1);
  if (schema['x-kubernetes-list-type'] === 'set')
    faults.push(['set', [first, first], `${place}[1]: Duplicate value: ${JSON.stringify(first)}`]);
  const [key] = (schema['x-kubernetes-list-map-keys'] ?? []) as string[];
  if (key !== undefined)
    faults.push(['map', [{ [key]: 'a' }, { [key]: 'a' }], `${place}[1]: Duplicate value: {"${key}":"a"}`]);
  return faults;
}

function objectFaults(schema: StructuralSchema, place: string): Broken[] {
  const { type, required = [], maxProperties, additionalProperties } = schema;
  const faults: Broken[] = [];
  if (typeof maxProperties === 'number') {
    const members = Array.from({ length: maxProperties + 1 }, (_, index) => [`e${index}`, '']);
    const says = `${place}: Too many: ${maxProperties + 1}: must have at most ${maxProperties} items`;
    faults.push(['maxProperties', Object.fromEntries(members), says]);
  }
  if (type !== 'object' || additionalProperties !== undefined) return faults;
  for (const name of required) faults.push(['required', undefined, `${place}.${name}: Required value`, name]);
  faults.push(['unknown', 'x', `unknown field "${place}.noSuchField"`, 'noSuchField']);
  return faults;
}

/** `spec.headers[].name` as `['spec', 'headers', 0, 'name']`. */
function pathOf(place: string): (string | number)[] {
  return place
    .split('.')
    .flatMap((part) => part.split(/(?=\[\]|\{\})/))
    .map((part) => (part === '[]' ? 0 : part === '{}' ? MAP_KEY : part));
}

const textOf = (path: readonly (string | number)[]): string =>
  path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text && `${text}.`}${step}`),
    '',
  );

/** A copy of an object with another value at a path; what is missing on the way is made. `undefined` takes a member away. */
export function replaced(object: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === 'number') return [replaced((object as unknown[] | undefined)?.[step], rest, value)];
  const members = { ...(object as Record<string, unknown> | undefined) };
  const member = replaced(members[step], rest, value);
  if (member === undefined) delete members[step];
  else members[step] = member;
  return members;
}
