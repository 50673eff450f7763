// Claude Platform on AWS: the Anthropic API under an AWS account, for one workspace of it.
import { anthropic } from './anthropic.ts';
import { awsError, cloudRefusal } from './cloud-refusal.ts';
import type { Provider } from './provider.ts';
import { cloudStream } from './stream-errors.ts';

export const claudePlatformAws: Provider = {
  ...anthropic,
  family: 'ClaudePlatformAWS',
  // The client's own workspace is among the headers that are withheld.
  ownHeaders: (_request, { claudePlatformAws: settings }) =>
    settings === undefined ? [] : ['anthropic-workspace-id', settings.workspaceId],
  answer: cloudStream,
  refusal: (status, body) => cloudRefusal(status, awsError(body)),
};
