// Doors for those who ask after the gateway itself: probes, and scripts that test a credential.
import type { FastifyInstance } from 'fastify';
import { admitCaller } from '../admit/admit.ts';
import { answerJson } from './answer.ts';

export interface Probes {
  readonly version: string;
  /** Undefined when all checks of the start passed, else which one did not. */
  readonly bootFault: () => string | undefined;
  /** The same, and whether new calls should come here; undefined when ready. */
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
    admitCaller(call.settings, call.principal!, call.address, undefined, 'read', call.request.headers);
    reply.hijack();
    answerJson(call, 200, JSON.stringify({ status: 'ok', version }));
  });
  // Claude Code asks before its first turn whether the base URL can be reached at all.
  app.head('/api/hello', (request, reply) => {
    reply.hijack();
    answerJson(request.call, 200, '');
  });
}
