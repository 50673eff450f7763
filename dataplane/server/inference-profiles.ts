// What Bedrock clients ask at their start: which inference profiles there are, and which model is behind one. Claude Code sends no
// credential with it when it is told to leave AWS authentication out, so the answers are facts of the catalog, the same for everyone:
// nothing of an account, and nothing of what a caller may use.
import type { FastifyInstance } from 'fastify';
import type { CatalogModel } from '#shared/catalog/models.ts';
import { canonicalModel, type ModelCatalog } from '#shared/catalog/spelling.ts';
import { refuse } from '../errors.ts';
import { answerJson } from './answer.ts';
import { checkServed } from './infer.ts';
import { decodeSegment } from './path-segment.ts';

const PATH = '/inference-profiles';

/** `GET /inference-profiles` and `GET /inference-profiles/{id}`. */
export function inferenceProfileDoors(app: FastifyInstance): void {
  app.get(PATH, ({ call }, reply) => {
    checkServed(call);
    reply.hijack();
    answerJson(call, 200, profileList(call.settings.catalog.models));
  });
  app.get(`${PATH}/*`, ({ call }, reply) => {
    checkServed(call);
    const id = decodeSegment(call.path.slice(PATH.length + 1), 'inference profile id');
    const profile = profileOf(id, call.settings.catalog.models);
    if (profile === undefined) {
      throw refuse.notFound(
        'unknown_profile',
        'inference profile not found: this gateway knows those of Claude models',
      );
    }
    reply.hijack();
    answerJson(call, 200, JSON.stringify(profile));
  });
}

interface InferenceProfile {
  readonly inferenceProfileId: string;
  readonly inferenceProfileArn: string;
  readonly inferenceProfileName: string;
  readonly models: readonly { readonly modelArn: string }[];
  readonly status: 'ACTIVE';
  readonly type: 'SYSTEM_DEFINED';
}

const lists = new WeakMap<ModelCatalog, string>();

/** Of the global profiles: where a call is served, the upstreams decide and no profile of the client's. */
function profileList(catalog: ModelCatalog): string {
  let list = lists.get(catalog);
  if (list === undefined) {
    const profiles = catalog.models.flatMap((model) => profile(`global.${model.bedrock}`, model) ?? []);
    list = JSON.stringify({ inferenceProfileSummaries: profiles });
    lists.set(catalog, list);
  }
  return list;
}

/** @param id of a profile, or its ARN */
function profileOf(id: string, catalog: ModelCatalog): InferenceProfile | undefined {
  const known = canonicalModel(id, catalog);
  const model = known && catalog.byId.get(known.id);
  return model && profile(id.slice(id.lastIndexOf('/') + 1), model);
}

/** Clients count tokens by the id behind the last slash of the model's ARN. */
function profile(id: string, { bedrock, displayName }: CatalogModel): InferenceProfile | undefined {
  if (bedrock === undefined) return undefined;
  return {
    inferenceProfileId: id,
    inferenceProfileArn: `arn:aws:bedrock:::inference-profile/${id}`,
    inferenceProfileName: displayName,
    models: [{ modelArn: `arn:aws:bedrock:::foundation-model/${bedrock}` }],
    status: 'ACTIVE',
    type: 'SYSTEM_DEFINED',
  };
}
