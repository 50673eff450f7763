// The compile step: resources in, bundles and statuses out. A composition of small pure steps, one file each; nothing here
// waits, reads a clock or draws a random number, and the order in which objects arrive changes nothing.
import type { Kind } from '#shared/api/kinds.ts';
import { objectKey } from '#shared/api/kinds.ts';
import { BUNDLE_FORMAT } from '#shared/bundle/bundle.ts';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { modelKey, type ModelCatalog } from '#shared/catalog/spelling.ts';
import { attach, type AttachmentContext, type ChildKind } from './attach.ts';
import { customModels } from './custom-models.ts';
import { gatewayConfig, isLoopbackGateway, judgeGateway } from './gateway.ts';
import { compileKeys, reportLifetime } from './keys.ts';
import { patternReader, type ReadPattern } from './model-names.ts';
import { compilePolicies } from './policies.ts';
import { readSubjects, type Subject } from './subjects.ts';
import type { CompiledGateway, CompileInput, CompileOutput } from './types.ts';
import { compileUpstream, judgeUpstream } from './upstreams.ts';

/** The objects that attached to one Gateway. */
interface Children {
  readonly upstreams: readonly Subject<'Upstream'>[];
  readonly policies: readonly Subject<'Policy'>[];
  readonly virtualKeys: readonly Subject<'VirtualKey'>[];
}

/**
 * Compiles everything at once. A broken object is reported and left out; it never takes another one down.
 * @param catalog the models whose spellings are known
 */
export function compile(input: CompileInput, catalog: ModelCatalog = builtinCatalog.models): CompileOutput {
  const subjects = readSubjects(input.objects);
  const gateways = new Map(subjects.gateways.map((gateway) => [objectKey(gateway.resource.metadata), gateway]));
  for (const [key, gateway] of gateways) {
    judgeGateway(gateway, input.peppers.get(key), catalog);
    gateway.report.field('attached', { upstreams: 0, policies: 0, virtualKeys: 0 });
  }
  for (const key of subjects.virtualKeys) reportLifetime(key);

  const context: AttachmentContext = {
    gateways,
    gatewayNames: namesOf('Gateway', input),
    namespaces: input.namespaces,
  };
  const upstreams = attachAll('Upstream', subjects.upstreams, context);
  const policies = attachAll('Policy', subjects.policies, context);
  const virtualKeys = attachAll('VirtualKey', subjects.virtualKeys, context);

  const compiled = new Map<string, CompiledGateway>();
  for (const [key, gateway] of gateways) {
    if (!gateway.report.accepted) continue;
    const children = {
      upstreams: upstreams.get(key) ?? [],
      policies: policies.get(key) ?? [],
      virtualKeys: virtualKeys.get(key) ?? [],
    };
    const result = compileGateway(gateway, children, input, catalog);
    if (result !== undefined) compiled.set(key, result);
  }
  return { gateways: compiled, statuses: subjects.reports.map((report) => report.status()) };
}

function compileGateway(
  gateway: Subject<'Gateway'>,
  children: Children,
  input: CompileInput,
  catalog: ModelCatalog,
): CompiledGateway | undefined {
  const { resource, report } = gateway;
  const { spec, metadata } = resource;
  const pepper = input.peppers.get(objectKey(metadata));
  if (pepper === undefined) return undefined;
  report.refsChecked();

  const loopback = isLoopbackGateway(spec);
  for (const upstream of children.upstreams) judgeUpstream(upstream, loopback, catalog);
  const accepted = children.upstreams.filter((upstream) => upstream.report.accepted);
  const byKey = new Map(accepted.map((upstream) => [objectKey(upstream.resource.metadata), upstream]));
  const callable = accepted.flatMap((upstream) => compileUpstream(upstream, input.secrets, catalog) ?? []);

  const models = customModels(spec.models.entries, mappedModels(accepted, catalog), catalog, report);
  const names = models.map(({ id }) => id);
  const patternsFor = patternsByNamespace(resource, names, accepted, catalog);
  const policies = compilePolicies(children.policies, { gateway: metadata, upstreams: byKey, patternsFor });
  const keys = compileKeys(children.virtualKeys, {
    gateway: { ...metadata, prefix: spec.virtualKeys.prefix, environment: spec.environment },
    pepper,
    secrets: input.secrets,
    tombstones: input.tombstones.get(objectKey(metadata)) ?? new Set(),
    credentials: input.credentials,
    patternsFor,
  });

  report.field('attached', {
    upstreams: accepted.length,
    policies: children.policies.length,
    virtualKeys: children.virtualKeys.filter((key) => key.report.accepted).length,
  });
  return {
    bundle: {
      format: BUNDLE_FORMAT,
      gateway: gatewayConfig(gateway, new Set(byKey.keys()), catalog),
      models,
      policies,
      upstreams: callable.map(({ entry }) => entry),
    },
    credentials: { pepper, values: Object.fromEntries(callable.flatMap(({ credentials }) => [...credentials])) },
    keys,
  };
}

/** Attaches what can be attached, by Gateway; the rest is refused. */
function attachAll<K extends ChildKind>(
  kind: K,
  subjects: readonly Subject<K>[],
  context: AttachmentContext,
): Map<string, Subject<K>[]> {
  const attached = new Map<string, Subject<K>[]>();
  for (const subject of subjects) {
    const { metadata, spec } = subject.resource;
    const attachment = attach(kind, metadata, spec.gatewayRef, context);
    if (!attachment.ok) {
      subject.report.refuse(attachment.reason, attachment.issue);
      continue;
    }
    subject.report.attachedTo(attachment.gateway);
    const siblings = attached.get(attachment.gateway);
    if (siblings === undefined) attached.set(attachment.gateway, [subject]);
    else siblings.push(subject);
  }
  return attached;
}

function mappedModels(upstreams: readonly Subject<'Upstream'>[], catalog: ModelCatalog): Set<string> {
  return new Set(upstreams.flatMap(({ resource }) => resource.spec.models.map(({ id }) => modelKey(id, catalog))));
}

/**
 * Pattern readers per namespace. A tenant's warnings must not tell it which models another tenant runs, so they look at the
 * Gateway's upstreams and its own only.
 */
function patternsByNamespace(
  gateway: Subject<'Gateway'>['resource'],
  names: readonly string[],
  upstreams: readonly Subject<'Upstream'>[],
  catalog: ModelCatalog,
): (namespace: string) => (pattern: string) => ReadPattern {
  const home = gateway.metadata.namespace;
  const builtin = gateway.spec.models.builtin ? catalog.byId.keys() : [];
  const shared = [...builtin, ...names];
  const readers = new Map<string, (pattern: string) => ReadPattern>();
  return (namespace) => {
    let reader = readers.get(namespace);
    if (reader === undefined) {
      const visible = upstreams.filter(({ resource }) => {
        const owner = resource.metadata.namespace;
        return namespace === home || owner === namespace || owner === home;
      });
      reader = patternReader(catalog, new Set([...shared, ...mappedModels(visible, catalog)]));
      readers.set(namespace, reader);
    }
    return reader;
  };
}

function namesOf(kind: Kind, input: CompileInput): Set<string> {
  return new Set(input.objects.filter((object) => object.kind === kind).map(({ metadata }) => objectKey(metadata)));
}
