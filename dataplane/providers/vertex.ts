// Google Vertex AI by rawPredict: project, location and model in the path, the version in the body, betas in their header.
import { upstreamModelId } from '#shared/catalog/upstream-model-id.ts';
import { cloudRefusal, nestedError } from './cloud-refusal.ts';
import type { Provider } from './provider.ts';
import { cloudStream } from './stream-errors.ts';

/** A body, a payload or a count of tokens beyond what the endpoint or the model takes. */
const SIZE = /\btoo (?:long|large)\b|\bexceeds? (?:the )?(?:maximum|limit|max\w*)\b|\bpayload size\b/i;

export const vertex: Provider = {
  family: 'Vertex',
  modelId: (id, entry, models) => upstreamModelId('Vertex', id, models, entry),
  path: ({ operation, modelId, stream }, { vertex: settings }) => {
    if (settings === undefined) return undefined;
    const { project, location } = settings;
    const models = `/v1/projects/${segment(project)}/locations/${segment(location)}/publishers/anthropic/models`;
    if (operation === 'count') return `${models}/count-tokens:rawPredict`;
    return `${models}/${segment(modelId)}:${stream ? 'streamRawPredict' : 'rawPredict'}`;
  },
  countsByBodyModel: true,
  headers: 'Closed',
  answer: cloudStream,
  refusal: (status, body) => cloudRefusal(status, nestedError(body), SIZE),
};

/** The `@` before a date stays, as Google writes it. */
function segment(text: string): string {
  return encodeURIComponent(text).replaceAll('%40', '@');
}
