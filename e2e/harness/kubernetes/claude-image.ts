// A corporate image with Claude Code: a shell and its tools, the company's certificate authority, and nothing that knows of the gateway. The
// program itself, several hundred megabytes, is mounted from where the machine keeps it.
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { addPrograms, writeImage, writeSkeleton } from './images.ts';

const NAME = 'localhost/corp/claude-code:1';
const AUTHORITY = '/etc/ssl/corp.pem';
const PROGRAM_FOLDER = '/opt/claude';
const TOOLS = ['bash', 'sh', 'cat', 'ls', 'env', 'mkdir', 'rm', 'mktemp', 'sed', 'grep', 'head', 'tr', 'sort', 'true'];

export interface ClaudeImageOptions {
  /** Where this machine keeps the program: the image gets what it loads. */
  readonly executable: string;
  /** PEM. */
  readonly authority: string;
  /** Files of the working folder by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** @param archive path of the archive to write */
export async function writeClaudeImage(options: ClaudeImageOptions, archive: string): Promise<void> {
  const { executable, authority, files } = options;
  const root = await mkdtemp(join(tmpdir(), 'portcullis-root-'));
  try {
    await chmod(root, 0o755);
    await writeSkeleton(root);
    await addPrograms(root, Object.fromEntries(TOOLS.map((name) => [`/bin/${name}`, `/bin/${name}`])));
    const { stdout } = await promisify(execFile)('ldd', [executable]);
    const libraries = [...stdout.matchAll(/\/\S+\.so\S*/g)].map(([path]) => path);
    await addPrograms(root, Object.fromEntries(libraries.map((path) => [path, path])));
    for (const folder of ['work', PROGRAM_FOLDER]) await mkdir(join(root, folder), { recursive: true });
    await writeFile(join(root, AUTHORITY), authority);
    for (const [name, text] of Object.entries(files)) await writeFile(join(root, 'work', name), text);
    const environment = { NODE_EXTRA_CA_CERTS: AUTHORITY, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' };
    const entrypoint = [`${PROGRAM_FOLDER}/claude`];
    await writeImage({ name: NAME, entrypoint, layers: [root], workingFolder: '/work', environment }, archive);
  } finally {
    await rm(root, { recursive: true });
  }
}

/**
 * A pod that runs it once, with the lines of a Secret as its environment and nothing else.
 * @param executable where the machine keeps the program
 */
export function claudePod(name: string, secret: string, executable: string, args: readonly string[]): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'claude',
          image: NAME,
          args,
          envFrom: [{ secretRef: { name: secret } }],
          volumeMounts: [{ name: 'program', mountPath: PROGRAM_FOLDER, readOnly: true }],
        },
      ],
      volumes: [{ name: 'program', hostPath: { path: dirname(executable) } }],
    },
  };
}
