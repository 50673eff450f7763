/**
 * The floor of our stack as a program: `bare-forwarder.ts PORT UPSTREAM_URL`. Receives with Fastify, reads the body,
 * hands it to an undici pool and passes the answer on as it comes. No keys, no policy, no metering, no limits.
 */
import { fastify } from 'fastify';
import { Pool } from 'undici';
import type { Dispatcher } from 'undici';

/** Headers of one hop, which a proxy does not pass on (RFC 9110, 7.6.1). */
const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'content-length']);

const [port, upstreamUrl] = process.argv.slice(2);
if (port === undefined || upstreamUrl === undefined) throw new Error('usage: bare-forwarder.ts PORT UPSTREAM_URL');

const pool = new Pool(upstreamUrl, { connections: 16_384, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
const server = fastify({ bodyLimit: 64 * 1024 * 1024, keepAliveTimeout: 120_000, requestTimeout: 0 });
server.removeAllContentTypeParsers();
server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

server.post('/*', (request, answer) => {
  const headers: string[] = [];
  const sent = request.raw.rawHeaders;
  for (let at = 0; at < sent.length; at += 2) {
    const name = sent[at] ?? '';
    if (!hopByHop.has(name.toLowerCase())) headers.push(name, sent[at + 1] ?? '');
  }
  answer.hijack();
  const response = answer.raw;
  let controller: Dispatcher.DispatchController | undefined;
  response.once('close', () => {
    if (!response.writableFinished) controller?.abort(new Error('client left'));
  });
  response.on('drain', () => controller?.resume());
  pool.dispatch(
    { method: 'POST', path: request.raw.url ?? '/', headers, body: request.body as Buffer },
    {
      onRequestStart: (started) => {
        controller = started;
        if (response.destroyed) started.abort(new Error('client left'));
      },
      onResponseStart: (_controller, status, received) => {
        const passed: Record<string, string | string[]> = {};
        for (const [name, value] of Object.entries(received)) {
          if (value !== undefined && (name === 'content-length' || !hopByHop.has(name))) passed[name] = value;
        }
        response.writeHead(status, passed);
        // Node keeps headers back until the first bytes of the body. Those of a stream must not wait for its first
        // event; when that is in the same read anyway, both leave in one write.
        if (received['content-length'] === undefined) setImmediate(() => response.flushHeaders());
      },
      onResponseData: (flowing, chunk) => {
        if (!response.write(chunk)) flowing.pause();
      },
      onResponseEnd: () => void response.end(),
      onResponseError: () => {
        if (response.headersSent) response.destroy();
        else response.writeHead(502).end();
      },
    },
  );
});

await server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
