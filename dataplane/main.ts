// The `portcullis` program: reads arguments and environment, wires the parts and turns errors into exit codes. Nothing else in the data
// plane looks at the process it runs in.
import { parseArgs } from 'node:util';
import pino from 'pino';
import { check } from './cli/check.ts';
import { startDemoUpstream } from './cli/demo-upstream.ts';
import { openedCredentials } from './cli/credential-ports.ts';
import { environmentProxy } from './cli/environment-proxy.ts';
import { isLoadThread, serveLoad } from './cli/load-worker.ts';
import { run } from './cli/run.ts';
import { UnusableConfigurationError } from './cli/unusable.ts';
import packageJson from '../package.json' with { type: 'json' };

const USAGE = `portcullis ${packageJson.version}: the LLM gateway for Claude Code

  portcullis run FILE…      serve the four kinds from files; reloads when a file changes
      --state DIR           folder for generated keys and their state (or PORTCULLIS_STATE; default .portcullis)
      --gateway NAME        which Gateway to serve, when the files hold several
      --demo                answer from a stand-in on this machine instead of the real upstreams
  portcullis check FILE…    compile offline and print every object's conditions; exit 1 when one is not Accepted
      -o json               print JSON
  portcullis serve          serve a Gateway as the operator publishes it; for the pods that the operator makes
      --gateway NAME        which Gateway (or PORTCULLIS_GATEWAY); POD_NAME, POD_NAMESPACE and POD_UID say which pod
  portcullis version

FILE is a YAML or JSON manifest, or a folder of them. \${VAR} in Secret values is taken from the environment.
`;

/** A write per record would cost more than the record: they leave together, at the latest after `periodicFlush` milliseconds. */
const AUDIT_BATCH = { minLength: 8 * 1024, periodicFlush: 100, maxLength: 64 * 1024 * 1024 };
/** A second signal ends the process at once. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

async function main(args: string[]): Promise<number | undefined> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      state: { type: 'string' },
      gateway: { type: 'string' },
      demo: { type: 'boolean', default: false },
      output: { type: 'string', short: 'o' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command, ...paths] = positionals;
  if (values.help || command === undefined || command === 'help') {
    process.stdout.write(USAGE);
    return command === undefined && !values.help ? 2 : 0;
  }
  if (command === 'version') {
    process.stdout.write(`${packageJson.version}\n`);
    return 0;
  }
  if (command === 'serve') {
    if (paths.length > 0)
      throw new UsageError('portcullis serve takes no FILE: its configuration comes from the cluster');
    await serveInCluster(values.gateway);
    return undefined;
  }
  if (command !== 'run' && command !== 'check') throw new UsageError(`unknown command ${command}`);
  if (paths.length === 0) throw new UsageError(`portcullis ${command} needs at least one FILE`);
  if (command === 'check') {
    if (values.output !== undefined && values.output !== 'json') throw new UsageError('-o takes json');
    return check({
      paths,
      json: values.output === 'json',
      environment: process.env,
      now: Date.now,
      print: (text) => process.stdout.write(`${text}\n`),
    });
  }
  await serve(paths, values);
  return undefined;
}

async function serve(paths: string[], values: { state?: string; gateway?: string; demo: boolean }): Promise<void> {
  const { env } = process;
  const { sink, flush, log } = outputs();
  const demo = values.demo ? await startDemoUpstream() : undefined;
  const running = await run({
    program: import.meta.filename,
    paths,
    stateFolder: values.state ?? env['PORTCULLIS_STATE'] ?? '.portcullis',
    gateway: values.gateway,
    // The stand-in takes any key, so a first look needs no variable.
    environment: demo === undefined ? env : { ANTHROPIC_API_KEY: 'demo', ...env },
    environmentProxy: environmentProxy(env),
    openCredentials: openedCredentials({ environment: env, environmentProxy: environmentProxy(env) }),
    version: packageJson.version,
    demo,
    audit: sink,
    log,
    say: (text) => process.stderr.write(`${text}\n`),
  });
  stopOnSignals(async () => {
    await running.stop();
    demo?.close();
  }, flush);
}

/** Where the parts are mounted, and where kubelet puts the token of a pod. */
const CONFIG_FOLDER = '/etc/portcullis/config';
const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

async function serveInCluster(gateway: string | undefined): Promise<void> {
  const { env } = process;
  const required = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === '') throw new UsageError(`portcullis serve needs ${name} in its environment`);
    return value;
  };
  const identity = {
    gateway: gateway ?? required('PORTCULLIS_GATEWAY'),
    namespace: required('POD_NAMESPACE'),
    pod: required('POD_NAME'),
    uid: required('POD_UID'),
  };
  required('KUBERNETES_SERVICE_HOST');
  const { sink, flush, log } = outputs();
  // Only here: `run` neither needs the cluster's parts nor waits for them to be read.
  const { serve: servePod } = await import('./cli/serve.ts');
  const serving = await servePod({
    identity,
    environment: env,
    serviceAccountFolder: env['PORTCULLIS_SERVICE_ACCOUNT_DIR'] ?? SERVICE_ACCOUNT_FOLDER,
    configFolder: env['PORTCULLIS_CONFIG_DIR'] ?? CONFIG_FOLDER,
    environmentProxy: environmentProxy(env),
    openCredentials: openedCredentials({ environment: env, environmentProxy: environmentProxy(env) }),
    listenHost: env['PORTCULLIS_LISTEN_HOST'],
    version: packageJson.version,
    audit: sink,
    log,
    now: () => performance.now(),
    wallClock: Date.now,
    random: Math.random,
  });
  stopOnSignals(() => serving.stop(), flush);
  await serving.listening;
}

/** Audit records go to standard output, the operational log to standard error. */
function outputs() {
  const audit = pino.destination({ fd: 1, sync: false, ...AUDIT_BATCH });
  // A reader of the audit stream that goes away must not take the gateway with it.
  audit.on('error', () => undefined);
  return {
    sink: { write: (line: string) => void audit.write(`${line}\n`) },
    flush: () => audit.flushSync(),
    log: pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2)),
  };
}

function stopOnSignals(stop: () => Promise<void>, flush: () => void): void {
  let stopping = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      process.stderr.write('stopping: running answers may finish; once more to stop at once\n');
      void stop().finally(() => {
        flush();
        process.exit(0);
      });
    });
  }
}

class UsageError extends Error {}

if (isLoadThread()) serveLoad(Date.now);
else await command();

async function command(): Promise<void> {
  try {
    const code = await main(process.argv.slice(2));
    if (code !== undefined) process.exitCode = code;
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    if (error instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS') === true) {
      process.stderr.write(`portcullis: ${message}\n\n${USAGE}`);
      process.exit(2);
    }
    const known = error instanceof UnusableConfigurationError || code !== undefined;
    process.stderr.write(
      `portcullis: ${known ? explain(error as NodeJS.ErrnoException) : ((error as Error).stack ?? message)}\n`,
    );
    process.exit(1);
  }
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE')
    return `${message}: another process uses the port; change listen.port or metrics.port of the Gateway`;
  if (code === 'ENOENT') return `${message}: no such file`;
  return message;
}
