// Configurations that follow one another during the soak, and the one at its end that names no upstream of before.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { basicResources, policy, upstream, withObjects, type Resources } from '../../harness/gateway.ts';
import type { PortcullisProcess } from '../../harness/portcullis-process.ts';
import type { Upstreams } from './upstream-process.ts';

/** Fewer places than callers, so that the queue is used; short waits, so that hanging upstreams cost little. */
const LISTEN = {
  limits: { maxConcurrentUpstream: 100, maxQueued: 500 },
  timeouts: {
    firstByte: '700ms',
    streamIdle: '1s',
    ping: '300ms',
    keepAlive: '1s',
    queue: '20s',
    body: '2s',
    connect: '1s',
  },
};

/** @param serial changes something each time: rules, weights, the breaker */
export function configuration({ flaky, steady }: Upstreams, serial: number): Resources {
  const breaker = { consecutiveFailures: 3 + (serial % 3), openFor: '300ms' };
  return withObjects(basicResources(flaky, { listen: LISTEN }), [
    upstream('anthropic', flaky, { priority: 1, breaker }),
    upstream('steady', steady, { priority: 2 + (serial % 5), weight: 1 + (serial % 7) }),
    policy('everyone', {
      match: { everyone: {} },
      models: { allow: ['claude-*'], deny: serial % 2 === 0 ? ['claude-opus-*'] : ['claude-sonnet-*'] },
    }),
  ]);
}

/** Everything as before but for the upstreams: their connections have no reason to stay. */
export function farewell(upstreams: Upstreams): Resources {
  const base = configuration(upstreams, 0);
  const objects = base.objects.filter(({ kind }) => kind !== 'Upstream');
  return withObjects({ ...base, objects }, [upstream('nobody', 'http://127.0.0.1:9')]);
}

/** An edit with a typing error, and the good one back again. */
export async function breakAndMend({ folder }: PortcullisProcess, pauseMs: number): Promise<void> {
  const file = join(folder, 'portcullis.yaml');
  const good = readFileSync(file, 'utf8');
  const write = (text: string): void => {
    writeFileSync(`${file}.edit`, text);
    renameSync(`${file}.edit`, file);
  };
  write(`${good}\n  broken: [`);
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
  write(good);
}
