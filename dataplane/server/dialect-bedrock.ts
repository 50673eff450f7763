// Bedrock InvokeModel: exceptions named in a header, streams as frames of AWS, counts under another name.
import type { ClientDialect } from './dialect.ts';
import { BedrockCountAnswer, BedrockStreamAnswer } from './dialect-bedrock-answers.ts';

/** Exceptions of the bedrock-runtime API model by HTTP status; what is missing is a `ValidationException`. */
const EXCEPTIONS: Readonly<Record<number, string>> = {
  401: 'UnrecognizedClientException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  408: 'ModelTimeoutException',
  409: 'ConflictException',
  429: 'ThrottlingException',
  502: 'ServiceUnavailableException',
  503: 'ServiceUnavailableException',
  504: 'ModelTimeoutException',
};

export const bedrockDialect: ClientDialect = {
  name: 'Bedrock',
  envelopes: false,
  error: ({ status: asked, message }, requestId) => {
    // AWS clients retry an overload by this status; of 529 they know nothing.
    const status = asked === 529 ? 503 : asked;
    const name = EXCEPTIONS[status] ?? (status >= 500 ? 'InternalServerException' : 'ValidationException');
    return {
      status,
      headers: ['x-amzn-errortype', name, 'x-amzn-requestid', requestId],
      body: JSON.stringify({ message }),
    };
  },
  answer: (operation, isStream) => {
    if (operation === 'count') return new BedrockCountAnswer();
    return isStream ? new BedrockStreamAnswer() : undefined;
  },
};
