// The operator's own small HTTP server: probes for the kubelet and figures for Prometheus. Nothing else listens.
import { createServer } from 'node:http';
import type { OperatorMetrics } from './metrics.ts';

export interface HealthServer {
  /** The port in use, for callers that asked for 0. */
  readonly port: number;
  close(): void;
}

/**
 * `/healthz` answers while the event loop turns, `/readyz` once the caches are filled, `/metrics` for scraping.
 * @param refresh brings gauges up to date before a scrape
 */
export async function serveHealth(
  host: string,
  port: number,
  { ready, metrics, refresh }: { ready: () => boolean; metrics: OperatorMetrics; refresh: () => void },
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const say = (code: number, text: string): void => {
      response.writeHead(code, { 'content-type': 'text/plain' }).end(`${text}\n`);
    };
    if (request.url === '/healthz') say(200, 'ok');
    else if (request.url === '/readyz') say(ready() ? 200 : 503, ready() ? 'ok' : 'caches are being filled');
    else if (request.url === '/metrics') {
      refresh();
      metrics.registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
        () => say(500, 'metrics failed'),
      );
    } else say(404, 'see /healthz, /readyz and /metrics');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
