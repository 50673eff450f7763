// Microsoft Foundry: the Messages API behind a resource, models by the names of their deployments. The base URL ends in `/anthropic`.
import { upstreamModelId } from '#shared/catalog/upstream-model-id.ts';
import { CLIENT_ACCOUNT, messagesPath } from './anthropic.ts';
import { cloudRefusal, nestedError } from './cloud-refusal.ts';
import type { Provider } from './provider.ts';
import { cloudStream } from './stream-errors.ts';

const SIZE = /\btoo (?:long|large)\b|\bmaximum context length\b|\bexceeds? (?:the )?(?:maximum|limit|max\w*)\b/i;

export const foundry: Provider = {
  family: 'Foundry',
  modelId: (id, entry, models) => upstreamModelId('Foundry', id, models, entry),
  path: ({ operation }) => messagesPath(operation),
  headers: 'Open',
  withheld: CLIENT_ACCOUNT,
  answer: cloudStream,
  refusal: (status, body) => cloudRefusal(status, nestedError(body), SIZE),
};
