// Policies in order of precedence, with names in one spelling and upstream selections resolved to lists.
import { objectKey } from '#shared/api/kinds.ts';
import { issue } from '#shared/api/parse.ts';
import type { PolicyEntry, Scope } from '#shared/bundle/bundle.ts';
import { canonicalJson } from '#shared/canonical-json.ts';
import { selects } from './label-selector.ts';
import type { ReadPattern } from './model-names.ts';
import { asSet, byAge } from './precedence.ts';
import { upstreamsWithin } from './regions.ts';
import type { Report } from './report.ts';
import type { Subject } from './subject.ts';

/** What policies are compiled against. */
export interface PolicyContext {
  readonly gateway: { readonly name: string; readonly namespace: string };
  /** Accepted Upstreams of the Gateway by `namespace/name`, callable at the moment or not. */
  readonly upstreams: ReadonlyMap<string, Subject<'Upstream'>>;
  /** Reads a model pattern against the models a namespace can know of. */
  readonly patternsFor: (namespace: string) => (pattern: string) => ReadPattern;
}

/** The short spelling of a scope and its equivalents; `read` before `write`. */
export function shortScopes(scopes: readonly string[]): Scope[] {
  const writes = scopes.some((scope) => scope.endsWith('write'));
  const reads = scopes.some((scope) => !scope.endsWith('write'));
  if (reads && writes) return ['read', 'write'];
  return reads ? ['read'] : writes ? ['write'] : [];
}

/** Patterns as stored: one spelling, sorted, once each. Warns of those that fit no model. */
export function storedPatterns(
  patterns: readonly string[],
  path: string,
  read: (pattern: string) => ReadPattern,
  report: Report,
): string[] {
  return asSet(
    patterns.map((pattern) => {
      const { text, known } = read(pattern);
      if (!known) report.warn(`${path}: ${pattern} fits no model known to this Gateway; check the spelling`);
      return text;
    }),
  );
}

/** Compiles the attached policies of one Gateway; the winner comes first. */
export function compilePolicies(subjects: readonly Subject<'Policy'>[], context: PolicyContext): PolicyEntry[] {
  const ordered = [...subjects].sort(
    (a, b) => b.resource.spec.priority - a.resource.spec.priority || byAge(a.resource.metadata, b.resource.metadata),
  );
  const winners = new Map<string, string>();
  return ordered.map((subject) => {
    const entry = compilePolicy(subject, context);
    // Those that look at headers are layers of their own, and none stands back for another.
    if (entry.match.headers !== undefined) return entry;
    // Kept in the bundle all the same: it never decides access, but limits of all matching policies add up.
    const audience = `${entry.namespace} ${canonicalJson(entry.match)}`;
    const winner = winners.get(audience);
    if (winner === undefined) winners.set(audience, subject.resource.metadata.name);
    else {
      subject.report.overridden(
        `Policy ${winner} matches the same callers and comes first (priority, then age, then name); this policy never decides their access`,
      );
    }
    return entry;
  });
}

function compilePolicy({ resource, report }: Subject<'Policy'>, context: PolicyContext): PolicyEntry {
  const { spec, metadata } = resource;
  const read = context.patternsFor(metadata.namespace);
  const tenant = metadata.namespace !== context.gateway.namespace;
  report.refsChecked();
  const { allow, deny } = spec.models;
  if (allow?.length === 0) report.warn('spec.models.allow is empty: no model is granted; leave it out to grant all');
  if (spec.match.keySelector && Object.keys(spec.match.keySelector.matchLabels).length === 0) {
    report.warn('spec.match.keySelector has no labels: it selects every VirtualKey');
  }
  const upstreams = resolveUpstreams({ resource, report }, context);
  const within = upstreamsWithin({ resource, report }, context.upstreams);
  return {
    key: objectKey(metadata),
    namespace: metadata.namespace,
    priority: spec.priority,
    tenant,
    match: compileMatch(spec.match, tenant ? metadata.namespace : undefined),
    models: {
      ...(allow === undefined ? {} : { allow: storedPatterns(allow, 'spec.models.allow', read, report) }),
      deny: storedPatterns(deny, 'spec.models.deny', read, report),
    },
    ...(upstreams === undefined ? {} : { upstreams }),
    ...(within === undefined ? {} : { within }),
    ...(spec.upstreams?.regions === undefined ? {} : { regions: asSet(spec.upstreams.regions) }),
    ...(spec.upstreams?.crossProvider === 'Forbid' ? { oneProvider: true as const } : {}),
    ...(spec.network === undefined ? {} : { network: asSet(spec.network.allow) }),
    ...(spec.scopes === undefined ? {} : { scopes: shortScopes(spec.scopes) }),
    ...(spec.denyMessage === undefined ? {} : { denyMessage: spec.denyMessage }),
  };
}

/**
 * @param tenant namespace of a policy from outside the Gateway's: owners of its keys carry that namespace in their names, so
 *   the names it matches do too
 */
function compileMatch(
  match: Subject<'Policy'>['resource']['spec']['match'],
  tenant: string | undefined,
): PolicyEntry['match'] {
  const owners = (names: readonly string[]): string[] =>
    asSet(tenant === undefined ? names : names.map((name) => `${tenant}/${name}`));
  const { groups, emailDomains, users, keySelector, headers } = match;
  return {
    everyone: match.everyone !== undefined,
    ...(groups === undefined ? {} : { groups: owners(groups) }),
    ...(emailDomains === undefined
      ? {}
      : { emailDomains: asSet(emailDomains.map((domain) => domain.replace(/^@/, '').toLowerCase())) }),
    ...(users === undefined ? {} : { users: owners(users) }),
    ...(keySelector === undefined ? {} : { keyLabels: keySelector.matchLabels }),
    ...(headers === undefined
      ? {}
      : {
          headers: [...headers]
            .sort((a, b) => (a.name < b.name ? -1 : 1))
            .map(({ name, values }) => ({ name, values: asSet(values) })),
        }),
  };
}

/** @returns undefined when the policy says nothing of upstreams; a list, even an empty one, is exactly what it grants */
function resolveUpstreams({ resource, report }: Subject<'Policy'>, context: PolicyContext): string[] | undefined {
  const { namespace } = resource.metadata;
  const { names, selector } = resource.spec.upstreams ?? {};
  if (names === undefined && selector === undefined) return undefined;
  const home = context.gateway.namespace;
  const found: string[] = [];
  for (const [index, name] of (names ?? []).entries()) {
    const key = name.includes('/') ? name : `${namespace}/${name}`;
    // A tenant may name its own upstreams and the Gateway's. Those of other tenants are nobody's to ask about.
    const owner = key.slice(0, key.indexOf('/'));
    const visible = namespace === home || owner === namespace || owner === home;
    if (visible && context.upstreams.has(key)) found.push(key);
    else {
      const text = `no Upstream ${key} that this policy may name is attached to Gateway ${home}/${context.gateway.name}; attach it or correct the name`;
      report.unresolved('RefNotFound', issue(['spec', 'upstreams', 'names', index], text).message);
    }
  }
  if (selector !== undefined) {
    for (const [key, { resource: upstream }] of context.upstreams) {
      if (upstream.metadata.namespace === home && selects(selector, upstream.metadata.labels ?? {})) found.push(key);
    }
  }
  if (found.length === 0) {
    report.warn('spec.upstreams fits no Upstream of this Gateway: callers of this policy can reach no provider');
  }
  return asSet(found);
}
