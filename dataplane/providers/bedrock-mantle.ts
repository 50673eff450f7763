// The Messages API on Bedrock: plain events, betas that are a closed set. On an endpoint of its own ("Mantle") with ids without a profile, or
// on that of InvokeModel with the ids, credentials and rights of InvokeModel.
import { upstreamModelId } from '#shared/catalog/upstream-model-id.ts';
import { messagesPath } from './anthropic.ts';
import { awsError, cloudRefusal } from './cloud-refusal.ts';
import type { Provider } from './provider.ts';
import { cloudStream } from './stream-errors.ts';

export const bedrockMantle: Provider = {
  family: 'BedrockMantle',
  modelId: (id, entry, models) => upstreamModelId('BedrockMantle', id, models, entry),
  path: ({ operation }) => `/anthropic${messagesPath(operation)}`,
  headers: 'Closed',
  answer: cloudStream,
  refusal: (status, body) => cloudRefusal(status, awsError(body)),
};
