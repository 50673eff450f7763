// One probe of a container: asks again and again, and counts in a row as kubelet does.
import { connect } from 'node:net';
import { request } from 'node:http';
import type { Container } from './environment.ts';

export type Probe = NonNullable<Container['readinessProbe']>;

const DEFAULTS = {
  initialDelaySeconds: 0,
  periodSeconds: 10,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 3,
};

/**
 * Calls back with each change of its verdict, the first one included, until the signal aborts.
 * @throws {Error} at once for a kind of probe that is not supported here
 */
export function startProbe(
  probe: Probe,
  { ports = [] }: Container,
  address: string,
  signal: AbortSignal,
  verdict: (good: boolean) => void,
): void {
  const { initialDelaySeconds, periodSeconds, timeoutSeconds, successThreshold, failureThreshold } = {
    ...DEFAULTS,
    ...probe,
  };
  const target = probe.httpGet ?? probe.tcpSocket;
  if (target === undefined) throw new Error('only httpGet and tcpSocket probes are supported here');
  const port = Number(ports.find(({ name }) => name === String(target.port))?.containerPort ?? target.port);
  const milliseconds = timeoutSeconds * 1_000;
  const ask = async (): Promise<boolean> =>
    probe.httpGet === undefined
      ? isListening(address, port, milliseconds)
      : (await statusOf(address, port, probe.httpGet.path ?? '/', milliseconds)) < 400;

  let known: boolean | undefined;
  let last: boolean | undefined;
  let inARow = 0;
  async function once(): Promise<void> {
    const good = await ask().catch(() => false);
    if (signal.aborted) return;
    inARow = good === last ? inARow + 1 : 1;
    last = good;
    if (good !== known && inARow >= (good ? successThreshold : failureThreshold)) verdict((known = good));
    setTimeout(() => void once(), periodSeconds * 1_000).unref();
  }
  setTimeout(() => void once(), initialDelaySeconds * 1_000).unref();
}

function statusOf(host: string, port: number, path: string, timeout: number): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host, port, path, agent: false, signal: AbortSignal.timeout(timeout) }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 500);
    })
      .once('error', reject)
      .end();
  });
}

function isListening(host: string, port: number, timeout: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout });
    const answer = (good: boolean): void => {
      socket.destroy();
      resolve(good);
    };
    socket
      .once('connect', () => answer(true))
      .once('error', () => answer(false))
      .once('timeout', () => answer(false));
  });
}
