// `portcullis run` and `check` as people use them: a child process, files that change, and what is said about it.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../harness/free-port.ts';
import {
  basicResources,
  CI_KEY,
  importedKey,
  NAMESPACE,
  object,
  policy,
  PROVIDER_KEY,
  withObjects,
  type Resources,
} from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';
import { builtProgram, startPortcullis, type PortcullisProcess } from '../harness/portcullis-process.ts';

const SPARE_KEY = 'spare-0123456789-abcdefghijklmnop-QRSTUVWX';

let mock: MockAnthropic;
let base: Resources;
let portcullis: PortcullisProcess;
let program: string;
let metricsPort: number;

beforeAll(async () => {
  mock = await startMockAnthropic();
  const generated = object('VirtualKey', 'made', {
    owner: { type: 'Service', name: 'made' },
    credential: { type: 'Generated', generated: { secretName: 'made-key' } },
  });
  base = withObjects(basicResources(mock.url), [importedKey('spare'), generated], {
    [`${NAMESPACE}/keys`]: { spare: SPARE_KEY },
  });
  program = await builtProgram();
  portcullis = await startPortcullis(base);
  metricsPort = Number(/^ {2}metrics:\n {4}port: (\d+)$/m.exec(readFileSync(file(), 'utf8'))![1]);
});

afterAll(async () => {
  await portcullis.stop();
  await mock.close();
});

const file = (): string => join(portcullis.folder, 'portcullis.yaml');
const keyFile = (): string => join(portcullis.folder, 'state/keys/default/made-key.env');

async function ask(key = CI_KEY, model = 'claude-haiku-5-5', url = portcullis.url): Promise<number> {
  const response = await fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, max_tokens: 1, messages: [] }),
  });
  await response.arrayBuffer();
  return response.status;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(name));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
}

function replaceFile(text: string): void {
  writeFileSync(`${file()}.edit`, text);
  renameSync(`${file()}.edit`, file());
}

/** What is said from now on, once it matches. */
async function saidNext(pattern: RegExp, act: () => void): Promise<string> {
  const from = portcullis.said().length;
  act();
  await expect.poll(() => portcullis.said().slice(from), { timeout: 5_000, interval: 10 }).toMatch(pattern);
  return portcullis.said().slice(from);
}

function withState(name: string, state: string): Resources {
  return withObjects(base, [importedKey(name, { state })]);
}

const without = (name: string): Resources => ({
  ...base,
  objects: base.objects.filter(({ metadata }) => metadata.name !== name),
});

describe('start', () => {
  test('[OPS-29] [OPS-20] answers within 5 s of the start of the process, without operator or store', async () => {
    expect(portcullis.readyMs).toBeLessThan(5_000);
    process.stdout.write(`portcullis run: ready after ${Math.round(portcullis.readyMs)} ms\n`);
    expect(await ask()).toBe(200);
    expect((await fetch(`${portcullis.url}/readyz`)).status).toBe(200);
    expect((await fetch(`${portcullis.url}/.well-known/oauth-authorization-server`)).status).toBe(200);
  });

  test('[OPS-20] says where it is, and the lines it says work', async () => {
    expect(portcullis.said()).toContain(`base URL   ${portcullis.url}`);
    const [, line] = /^ {2}curl +(\(.*(?:\\\n.*)?\))$/m.exec(portcullis.said()) ?? [];
    expect(line).toBeDefined();
    const { stdout } = await shell(line!, portcullis.folder);
    expect(stdout).toContain('event: message_stop');
    expect(portcullis.said()).toMatch(/^ {2}claude +\(set -a; \. .*made-key\.env; set \+a; claude\)$/m);
  });

  test('[SEC-21] keys are in a file of the owner alone, and nothing of them is said or logged', async () => {
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    expect(statSync(join(portcullis.folder, 'state')).mode & 0o777).toBe(0o700);
    const token = /^ANTHROPIC_AUTH_TOKEN=(.*)$/m.exec(readFileSync(keyFile(), 'utf8'))![1]!;
    expect(await ask(token)).toBe(200);
    expect(await ask(`${token}x`)).toBe(401);
    await portcullis.record(({ status }) => status === 401);
    for (const secret of [token, CI_KEY, SPARE_KEY, PROVIDER_KEY]) {
      expect(portcullis.said()).not.toContain(secret);
      expect(JSON.stringify(portcullis.audit)).not.toContain(secret);
    }
  });
});

describe('[OPS-05] a bad edit keeps the last good configuration', () => {
  test.each<[string, (text: string) => string, RegExp]>([
    [
      '[OPS-07] an unknown field',
      (text) => text.replace('  models:\n', '  modles:\n'),
      /portcullis\.yaml:\d+:3: Policy default\/everyone: unknown field spec\.modles; did you mean models\?/,
    ],
    [
      'a value out of bounds',
      (text) => text.replace('kind: Gateway', 'kind: Gateway #').replace(/ {4}port: \d+/, '    port: 70000'),
      /portcullis\.yaml:\d+:5: Gateway default\/claude: spec\.listen\.port: must be at most 65535/,
    ],
    ['a syntax error', (text) => `${text}\n  broken: [`, /portcullis\.yaml:\d+:\d+: /],
    [
      'an unknown kind',
      (text) => text.replace('kind: Policy', 'kind: Polices'),
      /unknown kind "Polices"; did you mean Policy\?/,
    ],
    [
      'an object twice',
      (text) => `${text}---\n${text.slice(text.indexOf('apiVersion'), text.indexOf('---'))}`,
      /Gateway default\/claude is there twice/,
    ],
    ['an empty file', () => '', /no Gateway that can be served/],
    [
      'a Gateway that is gone',
      (text) => text.replace('kind: Gateway', 'kind: ConfigMap').replace('portcullis.dev/v1alpha1', 'v1'),
      /no Gateway that can be served/,
    ],
    ['a binary file', () => '\0\x01\x02', /portcullis\.yaml:1:1: /],
  ])('%s', async (_name, edit, message) => {
    const good = readFileSync(file(), 'utf8');
    const refused = await metric('portcullis_config_reloads_total{result="refused"}');
    const bad = edit(good);
    expect(bad).not.toBe(good);
    const said = await saidNext(message, () => replaceFile(bad));
    expect(said).toContain('refused the edit, the last good configuration keeps serving');
    expect(await ask()).toBe(200);
    expect((await fetch(`${portcullis.url}/readyz`)).status).toBe(200);
    expect(await metric('portcullis_config_reloads_total{result="refused"}')).toBe(refused + 1);
    await saidNext(/unchanged: revision [0-9a-f]{12} keeps serving/, () => replaceFile(good));
    expect(await ask(SPARE_KEY), 'no key was buried').toBe(200);
  });

  test('a file that is gone, and is back', async () => {
    await saidNext(/refused the edit.*: .*no such file/s, () => renameSync(file(), `${file()}.away`));
    expect(await ask()).toBe(200);
    await saidNext(/unchanged/, () => renameSync(`${file()}.away`, file()));
    expect(await ask(SPARE_KEY)).toBe(200);
  });

  test('[ERR-19] every fault of an edit is listed with its place, and the statuses of all objects', async () => {
    const good = readFileSync(file(), 'utf8');
    const bad = good
      .replace('provider: Anthropic', 'provider: Anthropc\n  priority: none\n  wieght: 1')
      .replace('type: Service', 'type: Robot');
    const said = await saidNext(/spec\.owner\.type/, () => replaceFile(bad));
    for (const message of [
      'spec.provider: must be',
      'spec.priority: must be a number',
      'unknown field spec.wieght; did you mean weight?',
      'spec.owner.type: must be one of User, Team, Service',
    ]) {
      expect(said).toMatch(new RegExp(`portcullis\\.yaml:\\d+:\\d+: .*${message.replace(/[.?]/g, '\\$&')}`));
    }
    for (const { kind, metadata } of base.objects)
      expect(said).toMatch(new RegExp(`^${kind} +default/${metadata.name} `, 'm'));
    expect(said).not.toContain(PROVIDER_KEY);
    await saidNext(/unchanged/, () => replaceFile(good));
  });
});

describe('[OPS-20] a good edit', () => {
  test('is in force within a second of the change of the file', async () => {
    const denied = withObjects(base, [policy('everyone', { match: { everyone: {} }, models: { deny: ['*'] } })]);
    const took: number[] = [];
    for (const [resources, status] of [
      [denied, 400],
      [base, 200],
      [denied, 400],
      [base, 200],
    ] as const) {
      const started = performance.now();
      const edited = portcullis.edit(resources);
      await expect.poll(() => ask(), { timeout: 5_000, interval: 5 }).toBe(status);
      took.push(performance.now() - started);
      await edited;
    }
    took.sort((a, b) => a - b);
    process.stdout.write(
      `reload: ${took.map((ms) => `${Math.round(ms)} ms`).join(', ')} from the edit to the first answer under it\n`,
    );
    // One second is the aim; machines that run other tests meanwhile get more.
    expect(took[0]).toBeLessThan(1_000);
    expect(took.at(-1)).toBeLessThan(3_000);
  });

  test('counts as applied, names its revision and what needs a restart', async () => {
    const applied = await metric('portcullis_config_reloads_total{result="applied"}');
    const good = readFileSync(file(), 'utf8');
    const said = await saidNext(/take effect at the next start/, () =>
      replaceFile(
        good
          .replace('spec:\n', 'spec:\n  environment: test\n')
          .replace('    port: ', '    timeouts: {keepAlive: 5s}\n    port: '),
      ),
    );
    const [, revision] = /reloaded revision ([0-9a-f]{12}) in \d+ ms/.exec(said)!;
    expect(await metric('portcullis_config_reloads_total{result="applied"}')).toBe(applied + 1);
    expect(await metric(`portcullis_config_info{revision="${revision}"}`)).toBe(1);
    await portcullis.edit(base);
  });

  test('what works and is probably not meant is said with the reload', async () => {
    const said = await saidNext(/reloaded[^]*default\/anthropic +True +False/, () =>
      replaceFile(readFileSync(file(), 'utf8').replace('token: sk-ant', 'tokn: sk-ant')),
    );
    expect(said).toContain('has no key token');
    await portcullis.edit(base);
  });
});

describe('[KEY-10] revoke, disable and delete', () => {
  test('disabled is 403 and comes back; others do not notice', async () => {
    await portcullis.edit(withState('spare', 'Disabled'));
    expect([await ask(SPARE_KEY), await ask()]).toEqual([403, 200]);
    await portcullis.edit(base);
    expect([await ask(SPARE_KEY), await ask()]).toEqual([200, 200]);
  });

  test('revoked is 401 and final, deleted is 401 and cannot be imported again, also by another name and after a restart', async () => {
    await portcullis.edit(withState('spare', 'Revoked'));
    expect(await ask(SPARE_KEY)).toBe(401);
    await portcullis.edit(base);
    expect(await ask(SPARE_KEY)).toBe(401);
    expect(portcullis.said()).toMatch(/VirtualKey +default\/spare +False .*Tombstoned/);

    await portcullis.edit(without('ci'));
    expect(await ask()).toBe(401);
    await portcullis.edit(base);
    expect(await ask()).toBe(401);
    const renamed = withObjects(without('ci'), [importedKey('again')], { [`${NAMESPACE}/keys`]: { again: CI_KEY } });
    await portcullis.edit(renamed);
    expect(await ask()).toBe(401);

    const token = readFileSync(keyFile(), 'utf8');
    await restarted(async (url, state) => {
      expect(readFileSync(join(state, 'keys/default/made-key.env'), 'utf8').split('\n')[1]).toBe(token.split('\n')[1]);
      expect(await ask(token.split('=').at(-1)!.trim(), undefined, url), 'the generated key').toBe(200);
      expect(await ask(CI_KEY, undefined, url)).toBe(401);
      expect(await ask(SPARE_KEY, undefined, url)).toBe(401);
    });
  });
});

describe('exit codes', () => {
  const quickstart = fileURLToPath(new URL('../../crds/samples/quickstart.yaml', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-exit-'));

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each<[string, string, number, RegExp, RegExp]>([
    ['[OPS-20] check: accepted', `check ${quickstart}`, 0, /Gateway +default\/claude +True/, /^$/],
    ['[OPS-20] check -o json', `check -o json ${quickstart}`, 0, /"accepted": true/, /^$/],
    [
      '[OPS-07] check: a typing error',
      'check typo.yaml',
      1,
      /typo\.yaml:4:8: Gateway default\/claude: unknown field spec\.publicURL/,
      /^$/,
    ],
    ['check: no such file', 'check nowhere.yaml', 1, /^$/, /nowhere\.yaml.*no such file/],
    ['check: nothing to check', 'check', 2, /^$/, /needs at least one FILE/],
    ['check: an unknown output', `check -o yaml ${quickstart}`, 2, /^$/, /-o takes json/],
    ['an unknown command', 'sevre x', 2, /^$/, /unknown command sevre/],
    ['an unknown option', 'check --frobnicate x', 2, /^$/, /--frobnicate/],
    ['nothing at all', '', 2, /portcullis run FILE/, /^$/],
    ['help', '--help', 0, /portcullis check FILE/, /^$/],
    ['version', 'version', 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    [
      '[OPS-05] run: a bad first configuration is not served',
      'run --state s1 typo.yaml',
      1,
      /^$/,
      /unknown field spec\.publicURL/,
    ],
    [
      'run: a broken state file gives advice, no stack trace',
      `run --state broken ${quickstart}`,
      1,
      /^$/,
      /^portcullis: broken\/state\.json is not a state file[^\n]*move it away[^\n]*\n$/,
    ],
  ])('%s', async (_name, args, code, out, err) => {
    writeFileSync(
      join(folder, 'typo.yaml'),
      'apiVersion: portcullis.dev/v1alpha1\nkind: Gateway\nmetadata: {name: claude}\nspec: {publicURL: "http://localhost:1"}\n',
    );
    mkdirSync(join(folder, 'broken'), { recursive: true });
    writeFileSync(join(folder, 'broken/state.json'), 'nonsense');
    const result = await shell(`"$NODE" "$PROGRAM" ${args}`, folder);
    expect({ code: result.code, stdout: result.stdout, stderr: result.stderr }).toEqual({
      code,
      stdout: expect.stringMatching(out) as string,
      stderr: expect.stringMatching(err) as string,
    });
    expect(readFileSync(join(folder, 'broken/state.json'), 'utf8')).toBe('nonsense');
    expect(existsSync(join(folder, 's1/keys'))).toBe(false);
  });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function shell(command: string, cwd: string, timeout = 15_000): Promise<Ended> {
  const env = { PATH: process.env['PATH'], NODE: process.execPath, PROGRAM: program };
  return new Promise((resolve) => {
    execFile('sh', ['-c', command], { cwd, env, timeout }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

/** A second start with a copy of the state folder, on other ports. */
async function restarted(visit: (url: string, state: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-again-'));
  const [port, metrics] = [await freePort(), await freePort()];
  const manifest = readFileSync(file(), 'utf8')
    .replaceAll(new URL(portcullis.url).port, String(port))
    .replaceAll(String(metricsPort), String(metrics));
  writeFileSync(join(folder, 'again.yaml'), manifest);
  const state = join(folder, 'state');
  cpSync(join(portcullis.folder, 'state'), state, { recursive: true });
  const child = spawn(process.execPath, [program, 'run', '--state', state, 'again.yaml'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await expect.poll(() => said, { timeout: 10_000, interval: 10 }).toMatch(/^ready$/m);
    await visit(`http://127.0.0.1:${port}`, state);
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    rmSync(folder, { recursive: true, force: true });
  }
}
