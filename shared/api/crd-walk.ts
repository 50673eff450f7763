// Visits every node of a structural schema; places are written as in `spec.listen.trustedProxies[]` and `matchLabels{}`.
import type { StructuralSchema } from './crd-schema.ts';

export interface SchemaNode {
  readonly place: string;
  readonly schema: StructuralSchema;
}

/** @returns the node itself and everything below it, parents first */
export function schemaNodes(schema: StructuralSchema, place = ''): SchemaNode[] {
  const { items, additionalProperties, properties = {} } = schema;
  return [
    { place, schema },
    ...(items === undefined ? [] : schemaNodes(items, `${place}[]`)),
    ...(additionalProperties === undefined ? [] : schemaNodes(additionalProperties, `${place}{}`)),
    ...Object.entries(properties).flatMap(([name, member]) =>
      schemaNodes(member, place === '' ? name : `${place}.${name}`),
    ),
  ];
}
