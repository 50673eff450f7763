// Amazon Bedrock by InvokeModel: the model in the path, betas and version in the body, streams as binary frames.
import { canonicalModel, type ModelCatalog } from '#shared/catalog/spelling.ts';
import { upstreamModelId } from '#shared/catalog/upstream-model-id.ts';
import { bedrockCountBody, BedrockCount } from './bedrock-count.ts';
import { BedrockStream } from './bedrock-stream.ts';
import { awsError, cloudRefusal } from './cloud-refusal.ts';
import type { Provider } from './provider.ts';

const FRAMES = 'application/vnd.amazon.eventstream';
const JSON_ACCEPT = ['accept', 'application/json'] as const;
const FRAMES_ACCEPT = ['accept', FRAMES] as const;

export const bedrock: Provider = {
  family: 'Bedrock',
  modelId: (id, entry, models) => upstreamModelId('Bedrock', id, models, entry),
  path: ({ operation, modelId, catalogId, models, stream }) => {
    if (operation === 'count') return countPath(modelId, catalogId, models);
    // An ARN holds colons and slashes, an id a colon.
    return `/model/${encodeURIComponent(modelId)}/invoke${stream ? '-with-response-stream' : ''}`;
  },
  headers: 'Closed',
  ownHeaders: ({ operation, fields }) => (fields.stream && operation === 'messages' ? FRAMES_ACCEPT : JSON_ACCEPT),
  countBody: bedrockCountBody,
  answer: (operation, contentType, callId) => {
    if (contentType.toLowerCase().startsWith(FRAMES)) return new BedrockStream(callId);
    return operation === 'count' ? new BedrockCount(callId) : undefined;
  },
  // A model that took too long, and one that failed: both are the provider's fault although the status says the client's.
  statuses: new Map([
    [408, 504],
    [424, 502],
  ]),
  refusal: (status, body) => cloudRefusal(status, awsError(body)),
};

/** Counting wants the foundation model: of a profile that says nothing of its model, the one it was mapped from. */
function countPath(modelId: string, catalogId: string, models: ModelCatalog): string | undefined {
  const id = canonicalModel(modelId, models)?.id ?? catalogId;
  const model = models.byId.get(id);
  if (model?.bedrock === undefined || model.bedrockCounts === false) return undefined;
  return `/model/${encodeURIComponent(model.bedrock)}/count-tokens`;
}
