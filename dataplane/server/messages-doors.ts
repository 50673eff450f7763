// The doors of the Messages API: at the root, and once more behind the paths under which Foundry and Claude Platform on AWS have it.
import type { FastifyInstance } from 'fastify';
import { admitCaller, reachOf } from '../admit/admit.ts';
import { refuse } from '../errors.ts';
import { readMessageFields } from '../providers/message-fields.ts';
import type { Operation } from '../providers/provider.ts';
import type { RouteContext } from '../route/route-context.ts';
import { answerJson } from './answer.ts';
import type { Call } from './call.ts';
import { checkServed, infer, type Inference } from './infer.ts';
import { modelList, modelObject } from './model-list.ts';

/**
 * `POST /v1/messages` and `POST /v1/messages/count_tokens`.
 * @param prefix of a platform
 */
export function messageDoors(app: FastifyInstance, route: RouteContext, prefix = ''): void {
  const door = (path: string, operation: Operation): void => {
    app.post(`${prefix}${path}`, (request, reply) => infer(route, request, reply, asked(request.call, operation)));
  };
  door('/v1/messages', 'messages');
  door('/v1/messages/count_tokens', 'count');
}

function asked({ dialect, search }: Call, operation: Operation): Inference {
  return {
    operation,
    format: 'Messages',
    search: dialect.name === 'Anthropic' ? search : betaOf(search),
    fields: readMessageFields,
  };
}

/** What else these platforms take in a query (`api-version`) is not the Messages API's. */
function betaOf(search: string): string {
  return /[?&]beta=true(?:&|$)/.test(search) ? '?beta=true' : '';
}

/**
 * `GET /v1/models`, filtered to what the caller may use, and `GET /v1/models/{id}`.
 * @param prefix of a platform
 */
export function modelDoors(app: FastifyInstance, prefix = ''): void {
  app.get(`${prefix}/v1/models`, (request, reply) => {
    const models = permitted(request.call);
    reply.hijack();
    answerJson(request.call, 200, modelList(models));
  });
  app.get<{ Params: { '*': string } }>(`${prefix}/v1/models/*`, (request, reply) => {
    const { call } = request;
    const models = permitted(call);
    const asked = call.settings.models.resolve(request.params['*']);
    const model = asked && models.find(({ listedId }) => listedId === asked.listedId);
    if (model === undefined)
      throw refuse.notFound('unknown_model', 'model not found: GET /v1/models lists what you may use');
    reply.hijack();
    answerJson(call, 200, JSON.stringify(modelObject(model)));
  });
}

function permitted(call: Call) {
  const { settings, principal, address, request } = call;
  checkServed(call);
  const access = admitCaller(settings, principal!, address, 'Models', 'read', request.headers);
  return settings.models.list().filter((model) => reachOf(settings, principal!, access, model).upstreams.length > 0);
}
