/** nginx as a plain reverse proxy: what copying bytes costs when it is all that is done. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { childOf } from '../process-usage.ts';
import type { Peer } from './peer.ts';
import { freePort } from '../../harness/free-port.ts';
import { startServer, untilAnswers } from './start-server.ts';

/** One worker, kept-alive connections to the upstream, no buffering of answers, everything below `folder`. */
function configuration(port: number, upstreamUrl: string, folder: string, user: string): string {
  return `${user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  keepalive_requests 100000000;
  keepalive_timeout 120s;
  upstream mock {
    server ${new URL(upstreamUrl).host};
    keepalive 1024;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }
  }
}
`;
}

/** The worker appears a moment after its master. */
async function workerOf(master: number): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    const worker = childOf(master);
    if (worker !== undefined) return worker;
    await sleep(10);
  }
  throw new Error('nginx started no worker');
}

export const nginx: Peer = {
  name: 'nginx',
  missing: () => {
    try {
      execFileSync('nginx', ['-v'], { stdio: 'ignore' });
      return undefined;
    } catch {
      return 'nginx is not installed; on Debian: apt-get install nginx-light';
    }
  },
  start: async (upstreamUrl, folder) => {
    const port = await freePort();
    const file = join(folder, 'nginx.conf');
    mkdirSync(join(folder, 'body'));
    // Started by root, the worker would change to an account that may not enter our folder.
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    writeFileSync(file, configuration(port, upstreamUrl, folder, user));
    const server = startServer('nginx', ['-p', folder, '-c', file], folder);
    const headers = { 'x-api-key': 'sk-ant-bench' };
    const url = `http://127.0.0.1:${port}`;
    await untilAnswers(server, url, headers);
    return { name: 'nginx', url, pid: await workerOf(server.pid), headers, stop: server.stop };
  },
};
