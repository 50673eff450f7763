// Names of the platform team's own for models (Gateway.spec.models.entries): what they stand for, and which may not be.
import type { GatewaySpec } from '#shared/api/gateway.ts';
import { issue } from '#shared/api/parse.ts';
import type { CustomModel } from '#shared/bundle/bundle.ts';
import { modelKey, canonicalModel, type ModelCatalog } from '#shared/catalog/spelling.ts';
import type { Report } from './report.ts';
import type { FieldIssue } from './types.ts';

type Entries = GatewaySpec['models']['entries'];

/**
 * Entries that make the whole Gateway ambiguous: a name given twice, and a built-in name that stands for another model. The
 * latter would let a caller reach a denied model under the name of an allowed one.
 */
export function entryIssues(entries: Entries, catalog: ModelCatalog): FieldIssue[] {
  const issues: FieldIssue[] = [];
  const seen = new Map<string, number>();
  for (const [index, { id, target }] of entries.entries()) {
    const path = ['spec', 'models', 'entries', index, 'id'];
    const key = modelKey(id, catalog);
    const first = seen.get(key);
    if (first !== undefined) issues.push(issue(path, `names the same model as entry ${first}; remove one of them`));
    else seen.set(key, index);
    const builtin = canonicalModel(id, catalog)?.id;
    if (builtin !== undefined && builtin !== modelKey(target, catalog)) {
      issues.push(
        issue(path, `is a name of the built-in model ${builtin} and cannot stand for another; choose another id`),
      );
    }
  }
  return issues;
}

/**
 * The entries that lead somewhere, in the order of the manifest. The others are left out and reported.
 * @param mapped models that attached upstreams list, as `modelKey` gives them
 */
export function customModels(
  entries: Entries,
  mapped: ReadonlySet<string>,
  catalog: ModelCatalog,
  report: Report,
): CustomModel[] {
  const models: CustomModel[] = [];
  for (const [index, { id, displayName, description, target }] of entries.entries()) {
    const at = ['spec', 'models', 'entries', index];
    const key = modelKey(target, catalog);
    if (!catalog.byId.has(key) && !mapped.has(key)) {
      const { message } = issue(
        [...at, 'target'],
        'is no built-in model and no attached Upstream lists it in spec.models; the entry is left out until one does',
      );
      report.unresolved('UnknownModel', message);
      report.warn(message);
      continue;
    }
    if (!/claude|anthropic/i.test(id)) {
      const { message } = issue(
        [...at, 'id'],
        'has neither claude nor anthropic in it: it can be called, but Claude Code leaves it out of its model picker',
      );
      report.warn(message);
    }
    models.push({
      id: id.toLowerCase(),
      displayName: displayName ?? id,
      ...(description === undefined ? {} : { description }),
      target: key,
    });
  }
  return models;
}
