// What every door of inference does once it has read what its format says in a place of its own: caller, body, fields, model, and on to
// the upstreams. Formats differ in where the model and the wish for a stream stand, and in nothing else that matters here.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BodyFormat } from '#shared/catalog/families.ts';
import { admitCaller, admitModel } from '../admit/admit.ts';
import { checkPlace, placeIn, type Place } from '../admit/place.ts';
import { refuse } from '../errors.ts';
import { withoutCredentials } from '../identify/credential.ts';
import type { CallFields, Operation } from '../providers/provider.ts';
import { forward } from '../route/forwarder.ts';
import type { RouteContext } from '../route/route-context.ts';
import { readBody } from './body.ts';
import type { Call } from './call.ts';
import { isServed, notServed } from './dialects.ts';

/** A call as its door read it from the path. */
export interface Inference {
  readonly operation: Operation;
  readonly format: BodyFormat;
  /** Query that upstreams of the Messages API get, with its `?`, or `''`. */
  readonly search: string;
  /** Where the path says the call should be served. */
  readonly place?: Place;
  /** The body of the Messages API, or of the format, in what was received. */
  readonly open?: (received: Buffer) => Buffer;
  /** @throws {GatewayError} 400 */
  readonly fields: (body: Buffer) => CallFields;
}

const MAX_RECORDED_MODEL = 128;
/** Some hundred betas; longer lists are no client's, and each is decided on for every upstream that is tried. */
const MAX_BETA_CHARS = 4096;

/**
 * Answers a call of inference, or throws what its client is to be told.
 * @throws {GatewayError}
 */
export async function infer(
  route: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
  inference: Inference,
): Promise<void> {
  const { call } = request;
  const { operation } = inference;
  const { settings, record } = call;
  const { headers } = call.request;
  const counting = operation === 'count';
  const principal = call.principal!;
  const { limits, timeouts } = settings.gateway.listen;
  checkServed(call);
  const access = counting
    ? admitCaller(settings, principal, call.address, 'CountTokens', 'read', headers)
    : admitCaller(settings, principal, call.address, 'Messages', 'write', headers);
  checkPlace(settings, access, inference.place);
  checkBetas(call);
  const received = await readBody(call, { maxBytes: limits.maxBodyBytes, timeoutMs: timeouts.body });
  const body = inference.open === undefined ? received : inference.open(received);
  const fields = inference.fields(body);
  record.requestedModel = shortened(call, fields.model);
  record.stream = fields.stream;
  checkPlace(settings, access, placeIn(fields.model));
  const grant = admitModel(settings, principal, access, fields.model, counting);
  record.model = grant.model.id;
  await forward(route, call, grant, {
    client: call.request,
    callId: call.id,
    caller: { id: principal.id, owner: principal.owner, email: principal.email },
    operation,
    format: inference.format,
    search: inference.search,
    body,
    fields,
    model: grant.model,
    credentials: call.credentials,
  });
  // Only now: what fails before is answered by the error handler, which a hijacked reply never reaches.
  reply.hijack();
}

/** A key that somebody pasted is taken out before the cut, which could leave a piece of it that is known for nothing. */
function shortened({ credentials }: Call, model: string): string {
  return model.length > MAX_RECORDED_MODEL
    ? withoutCredentials(credentials, model).slice(0, MAX_RECORDED_MODEL)
    : model;
}

/** @throws {GatewayError} 404 on the paths of a format that the platform team did not ask for */
export function checkServed({ settings, dialect }: Call): void {
  if (!isServed(settings.gateway, dialect.name)) throw notServed(dialect.name);
}

function checkBetas({ request }: Call): void {
  const betas = request.headers['anthropic-beta'];
  if ((betas?.length ?? 0) > MAX_BETA_CHARS) {
    throw refuse.badRequest('betas_too_long', `the header anthropic-beta is longer than ${MAX_BETA_CHARS} characters`);
  }
}
