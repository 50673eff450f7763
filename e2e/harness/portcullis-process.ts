// The built program as a child process: manifests in a temporary folder, free ports, audit lines from stdout, text for people from stderr.
// What a platform team's pipeline would do, and nothing the program does not offer.
import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { freePort } from './free-port.ts';
import { eventually, onPorts, type Resources } from './resources.ts';

export type AuditRecord = Readonly<Record<string, unknown>>;

export interface PortcullisProcess {
  readonly url: string;
  readonly pid: number;
  /** Milliseconds from the start of the process to the word `ready`. */
  readonly readyMs: number;
  /** Temporary: the manifest, and the state folder `state`. */
  readonly folder: string;
  /** Audit records so far, oldest first. */
  readonly audit: readonly AuditRecord[];
  /** Everything written for people so far. */
  readonly said: () => string;
  /** Waits until an audit record satisfies the test, at most two seconds. */
  record(test: (record: AuditRecord) => boolean): Promise<AuditRecord>;
  /** Renames a new manifest over the old one and waits until the program says that it is in force. */
  edit(resources: Resources): Promise<void>;
  /** SIGTERM, and SIGKILL when that is not enough; the folder goes as well. Safe to call twice. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** The program file; default `dist/portcullis.js` of this checkout, built when sources are newer. */
  readonly program?: string;
  /** Options of `run` besides the state folder. */
  readonly args?: readonly string[];
  /** Variables added to a bare environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_MS = 20_000;
const STOP_MS = 5_000;

/** @throws with everything it said when the program ends or is not ready in time */
export async function startPortcullis(resources: Resources, options: StartOptions = {}): Promise<PortcullisProcess> {
  const program = options.program ?? (await builtProgram());
  const [port, metricsPort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-run-'));
  const file = join(folder, 'portcullis.yaml');
  const write = (next: Resources): void => {
    writeFileSync(`${file}.new`, manifest(next, port, metricsPort));
    renameSync(`${file}.new`, file);
  };
  write(resources);

  const begun = performance.now();
  const child = spawn(
    process.execPath,
    [program, 'run', '--state', join(folder, 'state'), ...(options.args ?? []), file],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const killChild = (): void => void child.kill('SIGKILL');
  process.once('exit', killChild);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const audit: AuditRecord[] = [];
  createInterface(child.stdout).on('line', (line) => audit.push(JSON.parse(line) as AuditRecord));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;

  async function until(word: RegExp, from = 0): Promise<void> {
    await eventually(() => word.test(said.slice(from)) || hasEnded() || undefined, START_MS).catch(() => undefined);
    if (!word.test(said.slice(from))) throw new Error(`portcullis run never said ${word}:\n${said}`);
  }

  async function stop(): Promise<void> {
    const patience = setTimeout(killChild, STOP_MS);
    if (!hasEnded()) child.kill('SIGTERM');
    await ended;
    clearTimeout(patience);
    process.off('exit', killChild);
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    await until(/^ready$/m);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    readyMs: performance.now() - begun,
    folder,
    audit,
    said: () => said,
    record: (test) => eventually(() => audit.find(test)),
    edit: async (next) => {
      const from = said.length;
      write(next);
      await until(/^reloaded revision/m, from);
    },
    stop,
  };
}

/** Objects and Secrets as one file of YAML documents. */
function manifest({ objects, secrets }: Resources, port: number, metricsPort: number): string {
  const documents = [
    ...objects.map((each) => (each.kind === 'Gateway' ? onPorts(each, port, metricsPort) : each)),
    ...Object.entries(secrets).map(([id, stringData]) => {
      const [namespace, name] = id.split('/');
      return { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, stringData };
    }),
  ];
  return documents.map((document) => stringify(document)).join('---\n');
}

/** Path of `dist/portcullis.js`, built first when it is missing or older than a source. */
export async function builtProgram(): Promise<string> {
  const program = join(ROOT, 'dist', 'portcullis.js');
  const sources = ['dataplane', 'operator', 'shared'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(ROOT, folder, file)),
  );
  const newest = Math.max(...[...sources, join(ROOT, 'package.json')].map(modified));
  if (modified(program) < newest) await promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: ROOT });
  return program;
}

/**
 * Copies what is shipped of the program, built first when need be: the entries and the chunks they share, without source maps.
 * @returns the file to start
 */
export async function copyProgram(folder: string): Promise<string> {
  const program = await builtProgram();
  for (const name of ['portcullis.js', 'portcullis-load.js', 'package.json', 'chunks'])
    cpSync(join(dirname(program), name), join(folder, name), {
      recursive: true,
      filter: (source) => !source.endsWith('.map'),
    });
  return join(folder, 'portcullis.js');
}

/** 0 for what is not there, or no longer. */
function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
