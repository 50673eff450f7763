// The models an upstream lists: each under one name, with what the upstream calls it.
import { issue } from '#shared/api/parse.ts';
import type { UpstreamSpec } from '#shared/api/upstream.ts';
import type { UpstreamModel } from '#shared/bundle/bundle.ts';
import { canonicalModel, modelKey, type ModelCatalog } from '#shared/catalog/spelling.ts';
import { upstreamModelId } from '#shared/catalog/upstream-model-id.ts';
import { present } from './present.ts';
import type { Report } from './report.ts';
import type { FieldIssue } from './types.ts';

/** Two spellings of one model would leave open which of the two rows counts. */
export function modelIssues(models: UpstreamSpec['models'], catalog: ModelCatalog): FieldIssue[] {
  const issues: FieldIssue[] = [];
  const seen = new Map<string, number>();
  for (const [index, { id }] of models.entries()) {
    const key = modelKey(id, catalog);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index);
    else {
      const text = `is the same model as entry ${first} (${key}); remove one of them`;
      issues.push(issue(['spec', 'models', index, 'id'], text));
    }
  }
  return issues;
}

/** A model that the catalog says is not offered there, and that the manifest gives no name for, is left out with a warning. */
export function upstreamModels(spec: UpstreamSpec, catalog: ModelCatalog, report: Report): UpstreamModel[] {
  return spec.models.flatMap(({ id, upstreamId, price, betas }, index) => {
    const known = canonicalModel(id, catalog)?.id;
    const name = upstreamId ?? (known === undefined ? id : upstreamModelId(spec.provider, known, catalog, spec));
    if (name === undefined) {
      report.warn(
        `spec.models[${index}]: ${known} is not offered by this provider there, as far as is known; if it is, say its name in upstreamId`,
      );
      return [];
    }
    return [
      {
        id: modelKey(id, catalog),
        upstreamId: name,
        ...(price === undefined ? {} : { price: present(price) }),
        ...(betas === undefined ? {} : { betas: present(betas) }),
      },
    ];
  });
}
