// What Claude Code asks when a person types /login: the discovery document of RFC 8414, then a device code. Scripts ask for the document as
// well, to learn from outside whether DNS, TLS, routes, pods and configuration all work.
//
// Nobody can sign in here yet, and both say so: the document names no endpoint and no grant, and whoever asks for a code all the same is told
// what to do instead, in the form whose words the client shows.
import type { FastifyInstance } from 'fastify';
import { GatewayError, refuse } from '../errors.ts';
import { setKey } from '../identify/client-setup.ts';
import { answerJson } from './answer.ts';
import { DEVICE_AUTHORIZATION, DISCOVERY } from './paths.ts';

/** @param bootFault why this process should not be relied upon yet; undefined when all checks of its start passed */
export function signInDoors(app: FastifyInstance, bootFault: () => string | undefined): void {
  app.get(DISCOVERY, ({ call }, reply) => {
    const fault = bootFault();
    if (fault !== undefined) throw notBooted(fault);
    reply.hijack();
    answerJson(call, 200, metadata(call.settings.gateway.publicUrl));
  });
  app.post(DEVICE_AUTHORIZATION, () => {
    throw refuse.badRequest('no_sign_in', `nobody can sign in to this gateway: ${setKey('Anthropic')}`);
  });
}

/** @param issuer the configured public URL: never from a header, which anybody may write */
function metadata(issuer: string): string {
  return JSON.stringify({
    issuer,
    grant_types_supported: [],
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['none'],
    scopes_supported: [],
    gateway_protocol_version: 1,
  });
}

function notBooted(fault: string): GatewayError {
  return new GatewayError({
    reason: 'not_booted',
    status: 503,
    message: `the gateway is not ready: ${fault}`,
    retryAfterSeconds: 5,
  });
}
