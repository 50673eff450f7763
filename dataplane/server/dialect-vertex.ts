// Vertex: rawPredict and streamRawPredict answer as the Messages API does; errors are Google's.
import type { ClientDialect } from './dialect.ts';

/** Names of google.rpc.Code by HTTP status. */
const CODES: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  408: 'DEADLINE_EXCEEDED',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

export const vertexDialect: ClientDialect = {
  name: 'Vertex',
  envelopes: false,
  error: ({ status: asked, message }) => {
    // Overload has no status of its own with Google.
    const status = asked === 529 ? 503 : asked;
    const word = CODES[status] ?? (status >= 500 ? 'INTERNAL' : 'INVALID_ARGUMENT');
    return { status, headers: [], body: JSON.stringify({ error: { code: status, message, status: word } }) };
  },
};
