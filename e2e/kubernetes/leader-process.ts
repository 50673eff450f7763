// A candidate for a Lease as a process of its own, to be killed and frozen: KUBECONFIG, namespace, identity. While it believes to lead it says so
// many times a second, with the time: `lead 1763737200123`. Says `elected`, and ends with 1 when it is `lost`. Gives the Lease back on SIGTERM.
import { LeaderElection } from '#operator/kube/leader.ts';
import { createKubeClient } from '#shared/kube/kube-client.ts';
import { openConnection } from '#shared/kube/open-connection.ts';
import { TIMING } from './leader-timing.ts';

const [KUBECONFIG, namespace = '', identity = ''] = process.argv.slice(2);
const now = (): number => performance.now();
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const client = createKubeClient({
  connection: await openConnection({ KUBECONFIG }, now),
  userAgent: 'portcullis-test',
  now,
  random: Math.random,
});
const election = new LeaderElection({
  client,
  lease: { namespace, name: 'leader' },
  identity,
  timing: TIMING,
  now,
  wallClock: Date.now,
  random: Math.random,
  log: { info: () => undefined, warn: () => undefined },
  onElected: () => say('elected'),
  onLost: () => {
    say('lost');
    process.exit(1);
  },
});
election.start();
setInterval(() => {
  if (election.leading) say(`lead ${Date.now()}`);
}, 10);
process.on('SIGTERM', () => {
  void election
    .stop()
    .then(() => client.close())
    .finally(() => process.exit(0));
});
