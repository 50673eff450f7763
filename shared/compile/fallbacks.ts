// Models that stand in for others (Gateway.spec.models.fallbacks): one spelling each, and no chain that comes back to itself.
import type { GatewaySpec } from '#shared/api/gateway.ts';
import { issue } from '#shared/api/parse.ts';
import type { ModelFallback } from '#shared/bundle/bundle.ts';
import { modelKey, type ModelCatalog } from '#shared/catalog/spelling.ts';
import type { Report } from './report.ts';
import type { FieldIssue } from './types.ts';

type Models = GatewaySpec['models'];

const at = (index: number, member: 'from' | 'to') => ['spec', 'models', 'fallbacks', index, member] as const;

/** Chains that never end, each named once, and models with two fallbacks: either refuses the whole Gateway. */
export function fallbackIssues(models: Models, catalog: ModelCatalog): FieldIssue[] {
  const idOf = routedIds(models, catalog);
  const issues: FieldIssue[] = [];
  const next = new Map<string, { readonly to: string; readonly index: number }>();
  for (const [index, { from, to }] of models.fallbacks.entries()) {
    const id = idOf(from);
    const first = next.get(id);
    if (first === undefined) next.set(id, { to: idOf(to), index });
    else {
      const text = `is the same model as that of entry ${first.index} (${id}); remove one of them`;
      issues.push(issue(at(index, 'from'), text));
    }
  }
  const done = new Set<string>();
  for (const start of next.keys()) {
    const path: string[] = [];
    let id: string | undefined = start;
    while (id !== undefined && !done.has(id)) {
      done.add(id);
      path.push(id);
      id = next.get(id)?.to;
    }
    // Joining an earlier walk is no cycle, joining this one is.
    const entry = id === undefined ? -1 : path.indexOf(id);
    if (entry < 0) continue;
    const cycle = [...path.slice(entry), path[entry]!].join(' → ');
    const closing = next.get(path.at(-1)!)!.index;
    issues.push(issue(at(closing, 'to'), `closes the cycle ${cycle}; remove one of its entries`));
  }
  return issues;
}

/**
 * The fallbacks as the data plane takes them.
 * @param mapped models that attached upstreams list, as `modelKey` gives them
 */
export function modelFallbacks(
  models: Models,
  mapped: ReadonlySet<string>,
  catalog: ModelCatalog,
  report: Report,
): ModelFallback[] {
  const idOf = routedIds(models, catalog);
  return models.fallbacks.map(({ from, to }, index) => {
    for (const [member, name] of [
      ['from', from],
      ['to', to],
    ] as const) {
      const id = idOf(name);
      if (catalog.byId.has(id) || mapped.has(id)) continue;
      const text =
        'is no built-in model and no attached Upstream lists it in spec.models; the entry waits until one does';
      const { message } = issue(at(index, member), text);
      report.unresolved('UnknownModel', message);
      report.warn(message);
    }
    return { from: idOf(from), to: modelKey(to, catalog) };
  });
}

/** From any name to the id under which the data plane routes it; names of the platform team's own lead to their targets. */
function routedIds({ entries }: Models, catalog: ModelCatalog): (name: string) => string {
  const targets = new Map(entries.map(({ id, target }) => [modelKey(id, catalog), modelKey(target, catalog)]));
  return (name) => {
    const key = modelKey(name, catalog);
    return targets.get(key) ?? key;
  };
}
