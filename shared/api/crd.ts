// The CustomResourceDefinition of each kind: names, columns, selectable fields, and the schema of spec and status.
import { structuralSchema, type StructuralSchema } from './crd-schema.ts';
import { GROUP, VERSION, type Kind, type KindInfo } from './kinds.ts';
import { STATUS } from './status.ts';

interface PrinterColumn {
  readonly name: string;
  readonly type: 'integer' | 'string' | 'date';
  readonly jsonPath: string;
  /** 1: only with `kubectl get -o wide`. */
  readonly priority?: 1;
}

export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly scope: 'Namespaced';
    readonly names: Readonly<Record<string, string | readonly string[]>>;
    readonly versions: readonly CustomResourceVersion[];
  };
}

export interface CustomResourceVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly subresources: { readonly status: Record<string, never> };
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
  readonly additionalPrinterColumns: readonly PrinterColumn[];
  readonly schema: { readonly openAPIV3Schema: StructuralSchema };
}

const text = (name: string, jsonPath: string): PrinterColumn => ({ name, type: 'string', jsonPath });
const number = (name: string, jsonPath: string): PrinterColumn => ({ name, type: 'integer', jsonPath });
const condition = (type: string) => text(type, `.status.conditions[?(@.type=="${type}")].status`);
const wide = (column: PrinterColumn): PrinterColumn => ({ ...column, priority: 1 });
const gateway = text('Gateway', '.spec.gatewayRef.name');
const summary = [condition('Accepted'), condition('Programmed'), condition('Ready')];
const age: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

const COLUMNS: Readonly<Record<Kind, readonly PrinterColumn[]>> = {
  Gateway: [
    text('URL', '.spec.publicUrl'),
    ...summary,
    number('Replicas', '.status.replicas.ready'),
    wide(number('Upstreams', '.status.attached.upstreams')),
    wide(number('Policies', '.status.attached.policies')),
    wide(number('Keys', '.status.attached.virtualKeys')),
    wide(number('Port', '.spec.listen.port')),
    wide(text('Address', '.status.address')),
    wide(text('Revision', '.status.revision')),
    age,
  ],
  Upstream: [
    gateway,
    text('Provider', '.spec.provider'),
    number('Priority', '.spec.priority'),
    ...summary,
    text('Credentials', '.status.conditions[?(@.type=="CredentialsValid")].status'),
    { name: 'Last probe', type: 'date', jsonPath: '.status.lastProbeTime' },
    wide(condition('Reachable')),
    wide(number('Weight', '.spec.weight')),
    wide(text('Base URL', '.spec.baseUrl')),
    age,
  ],
  Policy: [
    gateway,
    number('Priority', '.spec.priority'),
    ...summary,
    wide(text('Groups', '.spec.match.groups')),
    wide(text('Models', '.spec.models.allow')),
    wide(condition('Overridden')),
    age,
  ],
  VirtualKey: [
    gateway,
    text('Owner', '.spec.owner.name'),
    text('Team', '.metadata.labels.team'),
    text('Phase', '.status.phase'),
    text('Prefix', '.status.prefix'),
    // A date column would print times to come as <invalid>.
    text('Expires', '.status.expiresAt'),
    condition('Ready'),
    wide(text('Owner type', '.spec.owner.type')),
    wide(text('Secret', '.spec.credential.generated.secretName')),
    wide(text('Next rotation', '.status.nextRotation')),
    wide(text('Grace until', '.status.previous.until')),
    wide(text('Old secret used', '.status.previous.lastUsedAt')),
    wide(condition('Accepted')),
    wide(condition('Programmed')),
    age,
  ],
};

/** What the server filters by (`--field-selector`): at most eight fields, each a cost of every list and watch. */
const SELECTABLE: Readonly<Record<Kind, readonly string[]>> = {
  Gateway: [],
  Upstream: [gateway.jsonPath],
  Policy: [gateway.jsonPath],
  VirtualKey: [gateway.jsonPath, '.spec.owner.type', '.spec.owner.name', '.spec.state', '.status.phase'],
};

/**
 * @returns the definition as an object, equal for equal schemas
 * @throws {TypeError} when a schema cannot be said in a CRD
 */
export function customResourceDefinition(info: KindInfo): CustomResourceDefinition {
  const spec = structuralSchema(info.spec);
  const fields = SELECTABLE[info.kind];
  const version: CustomResourceVersion = {
    name: VERSION,
    served: true,
    storage: true,
    subresources: { status: {} },
    ...(fields.length > 0 ? { selectableFields: fields.map((jsonPath) => ({ jsonPath })) } : {}),
    additionalPrinterColumns: COLUMNS[info.kind],
    schema: { openAPIV3Schema: rootSchema(info, spec) },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${info.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind: info.kind,
        listKind: `${info.kind}List`,
        plural: info.plural,
        singular: info.singular,
        shortNames: [info.shortName],
        categories: ['portcullis'],
      },
      versions: [version],
    },
  };
}

/** Of metadata an API server lets a CRD restrict nothing but the name. */
function rootSchema(info: KindInfo, spec: StructuralSchema): StructuralSchema {
  const { kind, maxNameLength } = info;
  return {
    description: `${kind}: ${spec.description ?? ''}`,
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: {
        type: 'object',
        ...(maxNameLength === undefined ? {} : { properties: { name: { type: 'string', maxLength: maxNameLength } } }),
      },
      spec,
      status: structuralSchema(STATUS[kind]),
    },
  };
}
