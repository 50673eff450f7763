// server: socket → call. Accepts a request, gives it an id and a configuration, refuses what need not be read, asks who is calling and
// opens a door. Fastify routes; answers go to the raw response, because streams do.
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Settings, SnapshotHolder } from '../config/snapshot.ts';
import { GatewayError, refuse } from '../errors.ts';
import { clientAddress } from '../admit/network.ts';
import { credentialsIn } from '../identify/credential.ts';
import { checkAlive, identify } from '../identify/identify.ts';
import type { PreviousSecretUses } from '../identify/previous-secret.ts';
import { newCallRecord } from '../meter/call-record.ts';
import type { Recorder } from '../meter/recorder.ts';
import type { RouteContext } from '../route/route-context.ts';
import { answerError } from './answer.ts';
import { ClientGoneError } from './body.ts';
import { callId, type Call } from './call.ts';
import { bedrockDoors } from './bedrock-door.ts';
import { dialectOf } from './dialects.ts';
import { healthDoors, type Probes } from './health-doors.ts';
import { inferenceProfileDoors } from './inference-profiles.ts';
import { answerListenerError } from './listener-errors.ts';
import { messageDoors, modelDoors } from './messages-doors.ts';
import { ANONYMOUS, clientUrl, isNotOffered } from './paths.ts';
import { signInDoors } from './sign-in-doors.ts';
import { isOpen, uncountable } from './uncredentialed.ts';
import { vertexDoors } from './vertex-door.ts';

declare module 'fastify' {
  interface FastifyRequest {
    call: Call;
  }
}

export interface AppOptions {
  readonly holder: SnapshotHolder;
  readonly route: RouteContext;
  readonly recorder: Recorder;
  /** Calls without a whole answer, whatever they wait for; probes are not among them. */
  readonly open: Set<Call>;
  readonly probes: Probes;
  readonly log: Logger;
  /** A fresh call id. */
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly observeListenerError: (code: string) => void;
  /** Hears of calls that come with the old secret of a rotated key. */
  readonly previousSecrets: PreviousSecretUses;
  /** Fixed when the listener starts. */
  readonly maxHeaderBytes: number;
  readonly keepAliveMs: number;
}

export function buildApp(options: AppOptions): FastifyInstance {
  const { holder, log, newId, observeListenerError } = options;
  const app = Fastify({
    logger: false,
    genReqId: () => '',
    requestIdHeader: false,
    exposeHeadRoutes: true,
    keepAliveTimeout: options.keepAliveMs,
    // Bodies have a limit of their own that follows the configuration; this one only bounds headers.
    requestTimeout: 0,
    // A missing Host is answered like everything else, not by an empty page of the listener's own.
    http: { maxHeaderSize: options.maxHeaderBytes, headersTimeout: 60_000, requireHostHeader: false },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    rewriteUrl: ({ url = '/' }) => clientUrl(url, holder.current?.settings.gateway),
    clientErrorHandler: (error, socket) => answerListenerError(error, socket, newId(), observeListenerError),
    frameworkErrors: (_error, request, reply) => {
      // A path that cannot be decoded. No hook ran, so there is no call yet.
      reply.hijack();
      openCall(options, request, reply.raw);
      try {
        enter(options, request);
        throw refuse.badRequest('bad_url', 'the request path is not valid');
      } catch (error) {
        answerFailure(request.call, error, log);
      }
    },
  });
  // `100-continue` is answered by whoever reads the body, so that a client hears of a refusal before it sends megabytes. An expectation
  // nobody knows is passed over rather than refused with an empty answer.
  app.server.on('checkContinue', (request, response) => app.routing(request, response));
  app.server.on('checkExpectation', (request, response) => app.routing(request, response));
  app.decorateRequest('call');
  // Bodies are read by the doors, under their own limits and only after the caller is known.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.addHook('onRequest', (request, reply, next) => {
    openCall(options, request, reply.raw);
    // Fastify fails a request whose Content-Type it cannot read. It is not ours to judge; upstreams get the raw header as it came.
    request.raw.headers['content-type'] = 'application/octet-stream';
    try {
      enter(options, request);
      next();
    } catch (error) {
      next(error as Error);
    }
  });
  app.setErrorHandler((error, request, reply) => {
    reply.hijack();
    answerFailure(request.call, error, log);
  });
  app.setNotFoundHandler(({ call }) => {
    throw isNotOffered(call.path)
      ? new GatewayError({
          reason: 'not_offered',
          status: 501,
          message: `${call.path} is not available on this gateway`,
          retry: false,
        })
      : refuse.notFound('not_found', `no such path: ${call.request.method} ${call.path.slice(0, 128)}`);
  });
  // Foundry and Claude Platform on AWS are the Messages API in another place.
  for (const prefix of ['', '/foundry', '/anthropic-aws']) {
    messageDoors(app, options.route, prefix);
    modelDoors(app, prefix);
  }
  bedrockDoors(app, options.route);
  inferenceProfileDoors(app);
  vertexDoors(app, options.route);
  signInDoors(app, options.probes.bootFault);
  healthDoors(app, options.probes);
  return app;
}

/** What nginx and others write down for a client that left before it was answered; Node's default of 200 would count it as served. */
const CLIENT_CLOSED_REQUEST = 499;

/** Gives the request its call and sees to it that the end of the connection ends the call. */
function openCall(
  { holder, route, recorder, open, newId, log }: AppOptions,
  request: FastifyRequest,
  response: Call['response'],
): void {
  const { raw } = request;
  const url = raw.url ?? '/';
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  // Before the first configuration only probes are answered, and they read nothing of it.
  const settings = holder.current?.settings as Settings;
  const credentials = credentialsIn(raw.headers);
  const call: Call = {
    id: callId(raw, credentials, newId),
    request: raw,
    response,
    path,
    search: query < 0 ? '' : url.slice(query),
    address: settings === undefined ? '' : clientAddress(raw, settings.trustedProxies),
    credentials,
    dialect: dialectOf(path),
    settings,
    record: newCallRecord(route.now()),
    principal: undefined,
    watcher: undefined,
  };
  request.call = call;
  const probe = ANONYMOUS.has(`${raw.method} ${path}`);
  if (!probe) open.add(call);
  response.once('close', () => {
    open.delete(call);
    try {
      call.watcher?.clientClosed(response.writableFinished);
      if (!response.writableFinished) call.record.outcome ??= 'client_aborted';
      const status = response.headersSent ? response.statusCode : CLIENT_CLOSED_REQUEST;
      if (!probe && settings !== undefined) recorder.finished(call, status);
    } catch (error) {
      // Nobody above catches here: a defect in the books must not end the process and every stream with it.
      log.error({ err: error, request_id: call.id }, 'a call could not be recorded');
    }
  });
}

/** Everything that can be refused by address, length, state and credential, before a byte of the body is read. */
function enter({ holder, wallClock, previousSecrets }: AppOptions, { call }: FastifyRequest): void {
  const { request, path, settings } = call;
  if (ANONYMOUS.has(`${request.method} ${path}`)) return;
  const snapshot = holder.current;
  if (snapshot === undefined) {
    throw new GatewayError({
      reason: 'starting',
      status: 503,
      message: 'the gateway has no configuration yet: try again',
      retryAfterSeconds: 1,
    });
  }
  // Node reads a request line without a version as HTTP/0.9, which has no headers and no error to answer with.
  if (request.httpVersionMajor < 1) throw refuse.badRequest('bad_version', 'the request is not HTTP/1.1');
  // RFC 9112 section 3.2.
  if (request.headers.host === undefined && request.httpVersion === '1.1') {
    throw refuse.badRequest('no_host', 'a request needs a Host header');
  }
  const { access, limits } = settings.gateway.listen;
  if (settings.deny.has(call.address) || (access.allow.length > 0 && !settings.allow.has(call.address))) {
    const message = `access from ${call.address} is not allowed: ask your platform team`;
    throw refuse.forbidden('network', message, 'listen.access');
  }
  if ((request.url?.length ?? 0) > limits.maxUrlBytes) {
    throw new GatewayError({
      reason: 'url_too_long',
      status: 414,
      message: `request URL is longer than ${limits.maxUrlBytes} bytes`,
    });
  }
  if (settings.gateway.paused) {
    throw new GatewayError({
      reason: 'paused',
      status: 503,
      message: 'this gateway is paused by its platform team',
      retryAfterSeconds: 60,
    });
  }
  if (isOpen(call)) return;
  if (uncountable(call)) throw refuse.notFound('count_without_credential', 'token counting needs a credential');
  call.principal = identify(request.headers, snapshot.keys, settings.gateway.virtualKeys.prefix, call.dialect.name);
  const { key } = call.principal;
  checkAlive(key, wallClock());
  if (key.previous === true) previousSecrets.note(key, call.address, wallClock());
}

function answerFailure(call: Call, error: unknown, log: Logger): void {
  if (error instanceof GatewayError) {
    answerError(call, error);
  } else if (error instanceof ClientGoneError || (error as Error).message === 'cancelled') {
    call.record.outcome = 'client_aborted';
  } else {
    log.error({ err: error, request_id: call.id }, 'a call failed unexpectedly');
    answerError(call, refuse.internal());
  }
}
