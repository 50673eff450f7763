// The `portcullis` program: reads arguments and environment, wires the parts and turns errors into exit codes. Nothing else in the data
// plane looks at the process it runs in. Each command imports what it needs when it is asked for: all of it takes a fifth of a second to read.
import { parseArgs } from 'node:util';
import type { AuditOutput } from './cli/audit-output.ts';
import { environmentProxy } from './cli/environment-proxy.ts';
import { beginLoad } from './cli/first-load.ts';
import { programFiles } from './cli/program-files.ts';
import { UnusableConfigurationError } from './cli/unusable.ts';
import type { ProxySettings } from './route/proxy.ts';
import packageJson from '../package.json' with { type: 'json' };

const USAGE = `portcullis ${packageJson.version}: the LLM gateway for Claude Code

  portcullis run FILE…      serve the four kinds from files; reloads when a file changes
      --state DIR           folder for generated keys and their state (or PORTCULLIS_STATE; default .portcullis)
      --gateway NAME        which Gateway to serve, when the files hold several
      --demo                answer from a stand-in on this machine instead of the real upstreams
  portcullis check FILE…    compile offline and print every object's conditions; exit 1 when one is not Accepted
                            or a catalog does not fit
      -o json               print JSON
  portcullis serve          serve a Gateway as the operator publishes it; for the pods that the operator makes
      --gateway NAME        which Gateway (or PORTCULLIS_GATEWAY); POD_NAME, POD_NAMESPACE and POD_UID say which pod
  portcullis version

FILE is a YAML or JSON manifest, or a folder of them. \${VAR} in Secret values is taken from the environment.
`;

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
    const { check } = await import('./cli/check.ts');
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
  const program = programFiles(import.meta.filename);
  const request = {
    paths,
    stateFolder: values.state ?? env['PORTCULLIS_STATE'] ?? '.portcullis',
    gateway: values.gateway,
    // The stand-in takes any key, so a first look needs no variable.
    environment: values.demo ? { ANTHROPIC_API_KEY: 'demo', ...env } : { ...env },
  };
  const proxy = environmentProxy(env);
  const first = beginLoad(program, request);
  const [{ run }, parts] = await Promise.all([import('./cli/run.ts'), servingParts(env, proxy)]);
  const demo = values.demo ? await (await import('./cli/demo-upstream.ts')).startDemoUpstream() : undefined;
  const options = {
    ...parts,
    ...request,
    program: program.load,
    demo,
    say: (text: string) => void process.stderr.write(`${text}\n`),
  };
  const running = await run(options, first);
  stopOnSignals(async () => {
    await running.stop();
    demo?.close();
  }, parts.audit);
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
  const [{ serve: servePod }, parts] = await Promise.all([
    import('./cli/serve.ts'),
    servingParts(env, environmentProxy(env)),
  ]);
  const serving = await servePod({
    ...parts,
    identity,
    environment: env,
    serviceAccountFolder: env['PORTCULLIS_SERVICE_ACCOUNT_DIR'] ?? SERVICE_ACCOUNT_FOLDER,
    configFolder: env['PORTCULLIS_CONFIG_DIR'] ?? CONFIG_FOLDER,
    listenHost: env['PORTCULLIS_LISTEN_HOST'],
    now: () => performance.now(),
    wallClock: Date.now,
    random: Math.random,
  });
  stopOnSignals(() => serving.stop(), parts.audit);
  await serving.listening;
}

/** What every process that serves is given, wherever its configuration comes from. */
async function servingParts(environment: NodeJS.ProcessEnv, proxy: ProxySettings | undefined) {
  const [{ openOutputs }, { openedCredentials }] = await Promise.all([
    import('./cli/outputs.ts'),
    import('./cli/credential-ports.ts'),
  ]);
  return {
    ...openOutputs(),
    version: packageJson.version,
    environmentProxy: proxy,
    openCredentials: openedCredentials({ environment, environmentProxy: proxy }),
  };
}

function stopOnSignals(stop: () => Promise<void>, audit: AuditOutput): void {
  let stopping = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      process.stderr.write('stopping: running answers may finish; once more to stop at once\n');
      void stop().finally(() => {
        audit.flush();
        process.exit(0);
      });
    });
  }
}

class UsageError extends Error {}

await command();

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
