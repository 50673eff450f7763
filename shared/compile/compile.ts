// The compile step: resources in, bundles and statuses out. A composition of small pure steps, one file each; nothing here
// waits, reads a clock or draws a random number, and the order in which objects arrive changes nothing.
import type { Kind } from '#shared/api/kinds.ts';
import { objectKey } from '#shared/api/kinds.ts';
import { BUNDLE_FORMAT } from '#shared/bundle/bundle.ts';
import { hashingKey, keyHash } from '#shared/bundle/key-hash.ts';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { modelKey, type ModelCatalog } from '#shared/catalog/spelling.ts';
import { attach, type Attachment, type AttachmentContext, type ChildKind } from './attach.ts';
import { gatewayCatalog, type GatewayCatalog } from './catalog.ts';
import { customModels } from './custom-models.ts';
import { gatewayConfig, isLoopbackGateway, judgeGateway } from './gateway.ts';
import { compileKeys } from './key-set.ts';
import { refuseKey } from './keys.ts';
import { NoMemo, type CompileMemo, type KeySubject } from './memo.ts';
import { patternReader, type ReadPattern } from './model-names.ts';
import { compilePolicies } from './policies.ts';
import type { Subject } from './subject.ts';
import { readSubjects } from './subjects.ts';
import type { CompiledGateway, CompileInput, CompileOutput } from './types.ts';
import { warnOfSharedSecrets } from './shared-secrets.ts';
import { checkTokenFile } from './token-files.ts';
import { compileUpstream, judgeUpstream } from './upstreams.ts';

/** The objects that attached to one Gateway. */
interface Children {
  readonly upstreams: readonly Subject<'Upstream'>[];
  readonly policies: readonly Subject<'Policy'>[];
  readonly virtualKeys: readonly KeySubject[];
}

/**
 * Compiles everything at once. A broken object is reported and left out; it never takes another one down.
 * @param catalog the models whose spellings are known, for Gateways that lay nothing over them
 * @param memo of earlier compiles with this catalog: changes nothing but the time it takes
 */
export function compile(
  input: CompileInput,
  catalog: ModelCatalog = builtinCatalog.models,
  memo: CompileMemo = new NoMemo(),
): CompileOutput {
  const subjects = readSubjects(input.objects, memo);
  const gateways = new Map(subjects.gateways.map((gateway) => [objectKey(gateway.resource.metadata), gateway]));
  const catalogs = new Map<string, GatewayCatalog>();
  for (const [key, gateway] of gateways) {
    const own = gatewayCatalog(gateway, input, catalog);
    catalogs.set(key, own);
    judgeGateway(gateway, input.peppers.get(key), own.models);
    gateway.report.field('attached', { upstreams: 0, policies: 0, virtualKeys: 0 });
  }

  const context: AttachmentContext = {
    gateways,
    gatewayNames: namesOf('Gateway', input),
    namespaces: input.namespaces,
  };
  const upstreams = attachAll('Upstream', subjects.upstreams, context);
  warnOfSharedSecrets(gateways, upstreams);
  const policies = attachAll('Policy', subjects.policies, context);
  const virtualKeys = attachKeys(subjects.virtualKeys, context, memo);

  const compiled = new Map<string, CompiledGateway>();
  for (const [key, gateway] of gateways) {
    if (!gateway.report.accepted) continue;
    const children = {
      upstreams: upstreams.get(key) ?? [],
      policies: policies.get(key) ?? [],
      virtualKeys: virtualKeys.get(key) ?? [],
    };
    const result = compileGateway(gateway, children, input, catalogs.get(key)!, memo);
    if (result !== undefined) compiled.set(key, result);
  }
  memo.retain(gateways);
  return {
    gateways: compiled,
    statuses: subjects.reports.map(({ report }) => report.status()),
    objects: subjects.objects,
  };
}

function compileGateway(
  gateway: Subject<'Gateway'>,
  children: Children,
  input: CompileInput,
  { models: catalog, overlay }: GatewayCatalog,
  memo: CompileMemo,
): CompiledGateway | undefined {
  const { resource, report } = gateway;
  const { spec, metadata } = resource;
  const pepper = input.peppers.get(objectKey(metadata));
  if (pepper === undefined) return undefined;
  report.refsChecked();

  const host = { namespace: metadata.namespace, loopback: isLoopbackGateway(spec) };
  for (const upstream of children.upstreams) judgeUpstream(upstream, host, catalog);
  const accepted = children.upstreams.filter((upstream) => upstream.report.accepted);
  for (const upstream of accepted) checkTokenFile(upstream, resource);
  const byKey = new Map(accepted.map((upstream) => [objectKey(upstream.resource.metadata), upstream]));
  const callable = accepted.flatMap((upstream) => compileUpstream(upstream, input.secrets, catalog) ?? []);

  const mapped = mappedModels(accepted, catalog);
  const models = customModels(spec.models.entries, mapped, catalog, report);
  const names = models.map(({ id }) => id);
  const patternsFor = patternsByNamespace(resource, names, accepted, catalog);
  const policies = compilePolicies(children.policies, { gateway: metadata, upstreams: byKey, patternsFor });
  const { name, namespace } = metadata;
  const facts = { name, namespace, prefix: spec.virtualKeys.prefix, environment: spec.environment };
  // Whatever keys are compiled against must be told in here, or a memo would not see it change; each key adds its Secret, credential and tombstones.
  const seen = [facts, spec.models.builtin, names, modelsByOwner(accepted), overlay?.models];
  const keys = compileKeys(
    children.virtualKeys,
    memo.same(`keys of ${objectKey(metadata)}`, keyHash(pepper.reveal(), JSON.stringify(seen)), {}),
    {
      gateway: facts,
      pepper: hashingKey(pepper),
      secrets: input.secrets,
      tombstones: input.tombstones.get(objectKey(metadata)) ?? new Set(),
      credentials: input.credentials,
      patternsFor,
    },
    memo,
  );

  report.field('attached', {
    upstreams: accepted.length,
    policies: children.policies.length,
    virtualKeys: children.virtualKeys.filter(({ report: of }) => of.accepted).length,
  });
  return {
    bundle: {
      format: BUNDLE_FORMAT,
      gateway: gatewayConfig(gateway, new Set(byKey.keys()), mapped, catalog),
      models,
      policies,
      upstreams: callable.map(({ entry }) => entry),
      ...(overlay === undefined ? {} : { catalog: overlay }),
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

/** {@link attachAll} for keys: of those that ask the same from the same place, one is asked about. */
function attachKeys(
  subjects: readonly KeySubject[],
  context: AttachmentContext,
  memo: CompileMemo,
): Map<string, KeySubject[]> {
  const attached = new Map<string, KeySubject[]>();
  const answers = new Map<string, Map<string, Attachment>>();
  for (const subject of subjects) {
    const { metadata, spec } = subject.resource;
    let known = answers.get(metadata.namespace);
    if (known === undefined) answers.set(metadata.namespace, (known = new Map()));
    let attachment = known.get(subject.gateway);
    if (attachment === undefined) {
      const answer = attach('VirtualKey', metadata, spec.gatewayRef, context);
      attachment = memo.same(`${metadata.namespace} to ${subject.gateway}`, JSON.stringify(answer), answer);
      known.set(subject.gateway, attachment);
    }
    if (!attachment.ok) {
      refuseKey(subject, attachment);
      continue;
    }
    const siblings = attached.get(attachment.gateway);
    if (siblings === undefined) attached.set(attachment.gateway, [subject]);
    else siblings.push(subject);
  }
  return attached;
}

function mappedModels(upstreams: readonly Subject<'Upstream'>[], catalog: ModelCatalog): Set<string> {
  return new Set(upstreams.flatMap(({ resource }) => resource.spec.models.map(({ id }) => modelKey(id, catalog))));
}

/** All that {@link patternsByNamespace} takes from upstreams. */
function modelsByOwner(
  upstreams: readonly Subject<'Upstream'>[],
): (readonly [namespace: string, models: readonly string[]])[] {
  return upstreams.map(({ resource: { metadata, spec } }) => [metadata.namespace, spec.models.map(({ id }) => id)]);
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
