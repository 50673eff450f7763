// The doors of Vertex clients: rawPredict and streamRawPredict by model id in the path, counts at a model of that name. Project and
// location are held against the caller's policies and choose nothing.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Place } from '../admit/place.ts';
import { refuse } from '../errors.ts';
import { readFieldsBesideModel, readMessageFields } from '../providers/message-fields.ts';
import type { RouteContext } from '../route/route-context.ts';
import { infer } from './infer.ts';
import { decodeSegment } from './path-segment.ts';

const PATH =
  /^\/v1\/projects\/([^/]+)\/locations\/([^/]+)\/publishers\/anthropic\/models\/([^/]+?)(?::|%3[Aa])(rawPredict|streamRawPredict)\/?$/;
const COUNT = 'count-tokens';

/** `POST /v1/projects/{p}/locations/{l}/publishers/anthropic/models/{id}:rawPredict` and `:streamRawPredict`. */
export function vertexDoors(app: FastifyInstance, route: RouteContext): void {
  app.post('/v1/projects/*', (request, reply) => answer(route, request, reply));
}

function answer(route: RouteContext, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const [, project, location, id, method] = PATH.exec(request.call.path) ?? [];
  if (project === undefined || location === undefined || id === undefined) {
    const offered = 'publishers/anthropic/models/{id}:rawPredict, :streamRawPredict and models/count-tokens:rawPredict';
    throw refuse.notFound('not_found', `no such path: of the Vertex API this gateway has ${offered}`);
  }
  const place: Place = {
    owner: decodeSegment(project, 'project'),
    region: decodeSegment(location, 'location').toLowerCase(),
    regionSetting: 'set CLOUD_ML_REGION to global or to a location you may use',
  };
  const model = decodeSegment(id, 'model id');
  const stream = method === 'streamRawPredict';
  const counting = model === COUNT;
  return infer(route, request, reply, {
    operation: counting ? 'count' : 'messages',
    format: 'Vertex',
    search: '',
    place,
    // A count names its model in the body: it is asked of all of them at one path.
    fields: counting ? readMessageFields : (body) => readFieldsBesideModel(body, model, stream),
  });
}
