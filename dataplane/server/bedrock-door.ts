// The doors of Bedrock clients: InvokeModel, its stream, and counts, by model id in the path. Ids come raw with their colons, ARNs with
// their slash encoded or wholly encoded; they name a model and nothing else.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { refuse } from '../errors.ts';
import { readFieldsBesideModel } from '../providers/message-fields.ts';
import type { RouteContext } from '../route/route-context.ts';
import { openCountBody } from './bedrock-count-body.ts';
import { infer } from './infer.ts';
import { decodeSegment } from './path-segment.ts';

const PATH = /^\/model\/(.+)\/(invoke|invoke-with-response-stream|count-tokens)\/?$/;

/** `POST /model/{id}/invoke`, `/invoke-with-response-stream` and `/count-tokens`. */
export function bedrockDoors(app: FastifyInstance, route: RouteContext): void {
  app.post('/model/*', (request, reply) => answer(route, request, reply));
}

function answer(route: RouteContext, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const [, id, action] = PATH.exec(request.call.path) ?? [];
  if (id === undefined || (id.includes('/') && !id.startsWith('arn:'))) {
    const offered = 'POST /model/{id}/invoke, /invoke-with-response-stream and /count-tokens';
    throw refuse.notFound('not_found', `no such path: of the Bedrock API this gateway has ${offered}`);
  }
  const model = decodeSegment(id, 'model id');
  const counting = action === 'count-tokens';
  const stream = action === 'invoke-with-response-stream';
  return infer(route, request, reply, {
    operation: counting ? 'count' : 'messages',
    format: 'Bedrock',
    search: '',
    ...(counting ? { open: openCountBody } : {}),
    fields: (body) => readFieldsBesideModel(body, model, stream),
  });
}
