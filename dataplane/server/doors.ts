// The doors of the client listener: one handler a path. Each takes a call that has been identified and leads it through the rooms.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { admitCaller, admitModel, reachOf } from '../admit/admit.ts';
import { refuse } from '../errors.ts';
import { readMessageFields } from '../providers/message-fields.ts';
import type { Operation } from '../providers/provider.ts';
import { credentialsIn } from '../identify/credential.ts';
import { forward, type RouteContext } from '../route/forwarder.ts';
import { answerJson } from './answer.ts';
import { readBody } from './body.ts';
import type { Call } from './call.ts';
import { modelList, modelObject } from './model-list.ts';

const MAX_RECORDED_MODEL = 128;

/** `POST /v1/messages` and `POST /v1/messages/count_tokens`. */
export function inferenceDoors(app: FastifyInstance, route: RouteContext): void {
  app.post('/v1/messages', (request, reply) => infer(route, request, reply, 'messages'));
  app.post('/v1/messages/count_tokens', (request, reply) => infer(route, request, reply, 'count'));
}

async function infer(
  route: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
  operation: Operation,
): Promise<void> {
  const { call } = request;
  const counting = operation === 'count';
  const principal = call.principal!;
  const { limits, timeouts } = call.settings.gateway.listen;
  const access = counting
    ? admitCaller(call.settings, principal, call.address, 'CountTokens', 'read')
    : admitCaller(call.settings, principal, call.address, 'Messages', 'write');
  const body = await readBody(call, { maxBytes: limits.maxBodyBytes, timeoutMs: timeouts.body });
  const fields = readMessageFields(body);
  call.record.requestedModel = fields.model.slice(0, MAX_RECORDED_MODEL);
  call.record.stream = fields.stream;
  const grant = admitModel(call.settings, principal, access, fields.model, counting);
  call.record.model = grant.model.id;
  await forward(route, call, grant, {
    client: call.request,
    callId: call.id,
    caller: { id: principal.id, owner: principal.owner, email: principal.email },
    operation,
    format: 'Messages',
    search: call.search,
    body,
    fields,
    model: grant.model,
    credentials: credentialsIn(call.request.headers),
  });
  // Only now: what fails before is answered by the error handler, which a hijacked reply never reaches.
  reply.hijack();
}

/** `GET /v1/models`, filtered to what the caller may use, and `GET /v1/models/{id}`. */
export function modelDoors(app: FastifyInstance): void {
  app.get('/v1/models', (request, reply) => {
    const models = permitted(request.call);
    reply.hijack();
    answerJson(request.call, 200, modelList(models));
  });
  app.get<{ Params: { '*': string } }>('/v1/models/*', (request, reply) => {
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

function permitted({ settings, principal, address }: Call) {
  const access = admitCaller(settings, principal!, address, 'Models', 'read');
  return settings.models.list().filter((model) => reachOf(settings, principal!, access, model).upstreams.length > 0);
}

export interface Probes {
  readonly version: string;
  /** Undefined when ready, else why not. */
  readonly notReady: () => string | undefined;
}

/** Health paths of every system that clients and probes come from. */
export function healthDoors(app: FastifyInstance, { version, notReady }: Probes): void {
  app.get('/healthz', (request, reply) => {
    reply.hijack();
    answerJson(request.call, 200, '{"status":"ok"}');
  });
  for (const path of ['/readyz', '/health']) {
    app.get(path, (request, reply) => {
      const reason = notReady();
      reply.hijack();
      answerJson(request.call, reason === undefined ? 200 : 503, JSON.stringify({ status: reason ?? 'ok', version }));
    });
  }
  // The token test of scripts: needs a credential like any other path.
  app.get('/v1/health', (request, reply) => {
    const { call } = request;
    admitCaller(call.settings, call.principal!, call.address, undefined, 'read');
    reply.hijack();
    answerJson(call, 200, JSON.stringify({ status: 'ok', version }));
  });
  // Claude Code asks before its first turn whether the base URL can be reached at all.
  app.head('/api/hello', (request, reply) => {
    reply.hijack();
    answerJson(request.call, 200, '');
  });
}
