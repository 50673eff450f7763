// `portcullis check` as a pipeline uses it: exit code, a table for people, JSON for machines, every fault with its place.
import { existsSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { check } from './check.ts';
import {
  documents,
  GATEWAY,
  generatedKey,
  importedKey,
  NOW,
  TOKEN,
  UPSTREAM,
  VALUE,
  workspace,
  type Workspace,
} from './testing.ts';

let space: Workspace;

beforeEach(() => {
  space = workspace();
});

afterEach(() => space.remove());

interface Report {
  readonly accepted: boolean;
  readonly objects: readonly { kind: string; name: string; conditions: readonly { type: string; status: string }[] }[];
  readonly faults: readonly { file: string; line: number; column: number; object?: string; message: string }[];
  readonly notes: readonly { message: string }[];
}

function run(text: string, environment: Record<string, string> = {}) {
  const paths = [space.write('a.yaml', text)];
  let table = '';
  let json = '';
  const options = { paths, environment, now: () => NOW };
  const code = check({ ...options, json: false, print: (printed) => (table += printed) });
  const jsonCode = check({ ...options, json: true, print: (printed) => (json += printed) });
  expect(jsonCode).toBe(code);
  const report = JSON.parse(json) as Report;
  expect(report.accepted).toBe(code === 0);
  return {
    code,
    table,
    json,
    report,
    lines: table.split('\n'),
    places: report.faults.map(({ line, column }) => `${line}:${column}`),
  };
}

const good = documents(GATEWAY, UPSTREAM, importedKey('ci', VALUE));

test('[OPS-20] accepted files: exit 0, a row for every object, aligned', () => {
  const { code, lines, report } = run(good);
  expect(code).toBe(0);
  expect(lines.map((line) => line.replace(/ +/g, ' '))).toEqual([
    'KIND NAME ACCEPTED RESOLVEDREFS OVERRIDDEN MESSAGE',
    'Gateway default/claude True True -',
    'Upstream default/anthropic True True -',
    'VirtualKey default/ci True True -',
  ]);
  const column = lines[0]!.indexOf('ACCEPTED');
  expect(lines.slice(1).map((line) => line.slice(column, column + 4))).toEqual(['True', 'True', 'True']);
  expect(report.faults).toEqual([]);
  expect(report.objects.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'Gateway claude',
    'Upstream anthropic',
    'VirtualKey ci',
  ]);
});

test('keeps nothing: no state folder, no key, and an unmade generated key is no failure', () => {
  const { code, table } = run(documents(GATEWAY, UPSTREAM, generatedKey('ci')));
  expect(code).toBe(0);
  expect(table).toContain('SecretPending');
  expect(existsSync(space.state)).toBe(false);
  expect(readdirSync(space.folder)).toEqual(['a.yaml']);
});

describe('faults', () => {
  test('[ERR-19] all of them are listed, each with file, line, column and path', () => {
    const text = documents(
      GATEWAY.replace(
        'spec: {publicUrl: "http://127.0.0.1:8080"}',
        [
          'spec:',
          '  publicUrl: http://corp.example',
          '  listen:',
          '    port: 99999',
          '    limits: {maxBodyBytes: 5}',
          '    timeout: {}',
          '  defaultAccess: Maybe',
        ].join('\n'),
      ),
      UPSTREAM.replace('provider: Anthropic', 'provider: Anthropic\n  priority: high\n  weigth: 2'),
    );
    const { code, report, table } = run(text);
    expect(code).toBe(1);
    const found = report.faults.map(({ line, column, object, message }) => `${line}:${column} ${object}: ${message}`);
    expect(found).toEqual([
      expect.stringMatching(/^5:3 Gateway default\/claude: spec\.publicUrl: must be an https URL/),
      expect.stringMatching(/^7:5 Gateway default\/claude: spec\.listen\.port: must be at most 65535/),
      expect.stringMatching(/^8:14 Gateway default\/claude: spec\.listen\.limits\.maxBodyBytes: must be/),
      expect.stringMatching(/^9:5 Gateway default\/claude: unknown field spec\.listen\.timeout; did you mean/),
      expect.stringMatching(/^10:3 Gateway default\/claude: spec\.defaultAccess: must be one of Deny, Allow/),
      expect.stringMatching(/^23:3 Upstream default\/anthropic: spec\.priority: must be/),
      expect.stringMatching(/^24:3 Upstream default\/anthropic: unknown field spec\.weigth; did you mean/),
    ]);
    for (const { line, column, message } of report.faults) {
      expect(table).toContain(`${space.path('a.yaml')}:${line}:${column}: `);
      expect(table).toContain(message);
    }
  });

  test('[OPS-07] unknown fields are errors at every depth', () => {
    const { code, places, report } = run(
      good.replace(
        'metadata: {name: claude}\nspec: {',
        'metadata: {name: claude}\nextra: 1\nspec: {bogus: 1, listen: {limits: {deep: 1}}, ',
      ),
    );
    expect(code).toBe(1);
    expect(report.faults[0]?.message).toBe('unknown field extra');
    expect(places[0]).toBe('4:1');
    const second = run(good.replace('spec: {publicUrl', 'spec: {bogus: 1, listen: {limits: {deep: 1}}, publicUrl'));
    expect(second.report.faults.slice(0, 2).map(({ message }) => message)).toEqual([
      'unknown field spec.bogus',
      'unknown field spec.listen.limits.deep',
    ]);
  });

  test('[ERR-19] a syntax error has a place, and the other documents are still judged', () => {
    const { code, report } = run(documents(GATEWAY, 'kind: [1,\nb: }\n', UPSTREAM.replace('priority', 'x')));
    expect(code).toBe(1);
    expect(report.faults).toHaveLength(1);
    expect(report.faults[0]).toMatchObject({ file: space.path('a.yaml') });
    expect(report.faults[0]!.line).toBeGreaterThanOrEqual(6);
    expect(report.objects.map(({ name }) => name)).toEqual(['claude', 'anthropic']);
  });

  test('a repeated key is named', () => {
    const { code, report } = run(`${GATEWAY}kind: Policy\n`);
    expect(code).toBe(1);
    expect(report.faults).toEqual([expect.objectContaining({ line: 5, column: 1, message: 'repeats the key kind' })]);
  });

  test('[OPS-05] what is well formed and still not Accepted exits 1 and says why in its row', () => {
    const { code, table } = run(documents(GATEWAY, UPSTREAM.replace('{name: claude}', '{name: clade}')));
    expect(code).toBe(1);
    expect(table).toMatch(/Upstream +default\/anthropic +False .*clade/);
  });

  test('a reference that cannot be resolved is shown and does not fail the pipeline: Secrets are often not in the repository', () => {
    const { code, table } = run(documents(GATEWAY, UPSTREAM.slice(UPSTREAM.indexOf('---\n') + 4)));
    expect(code).toBe(0);
    expect(table).toMatch(/Upstream +default\/anthropic +True +False .*Secret anthropic/);
  });

  test('a variable that is not set is a note with its place', () => {
    const text = good.replace(TOKEN, '"${ANTHROPIC_API_KEY}"');
    const { table, report } = run(text);
    expect(table).toContain(
      `${space.path('a.yaml')}:9:14: note: the environment variable ANTHROPIC_API_KEY is not set`,
    );
    expect(report.notes).toHaveLength(1);
    expect(run(text, { ANTHROPIC_API_KEY: TOKEN }).report.notes).toEqual([]);
  });
});

test('[SEC-21] no secret value is printed, wherever it was put', () => {
  const misplaced = documents(
    GATEWAY.replace('8080"', `8080", environment: [${TOKEN}], defaultAccess: ${TOKEN}, logging: ${TOKEN}`),
    UPSTREAM.replace('provider: Anthropic', `provider: ${TOKEN}\n  baseUrl: ${TOKEN}\n  headers: ${TOKEN}`),
    UPSTREAM.replace('name: anthropic', 'name: other').replace(TOKEN, `[${TOKEN}]`),
    importedKey('ci', VALUE).replace('type: Service', `type: ${VALUE}`),
    `apiVersion: v1\nkind: Secret\nmetadata: {name: broken}\nstringData: {a: "${TOKEN}\n`,
    `apiVersion: v1\nkind: Secret\nmetadata: {name: encoded}\ndata: {a: ${TOKEN}}\n`,
  );
  const { code, table, json } = run(misplaced);
  expect(code).toBe(1);
  for (const printed of [table, json]) {
    expect(printed).not.toContain(TOKEN);
    expect(printed).not.toContain(VALUE);
  }
  const served = run(good);
  for (const printed of [served.table, served.json]) {
    expect(printed).not.toContain(TOKEN);
    expect(printed).not.toContain(VALUE);
  }
});

describe('a catalog', () => {
  const gateway = GATEWAY.replace('spec: {', 'spec: {catalog: {configMapRef: {name: tables}}, ');
  const tables = (text: string): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tables}\ndata:\n  prices.json: '${text}'\n`;

  test('is found among the files', () => {
    expect(run(documents(gateway, UPSTREAM, tables('{"webSearchPerThousand": "12"}')))).toMatchObject({ code: 0 });
  });

  test('that does not fit is exit 1, because a cluster would leave it out of force', () => {
    const { code, table } = run(documents(gateway, UPSTREAM, tables('{"webSearchPerThousand": "0"}')));
    expect(code).toBe(1);
    expect(table).toContain('ConfigMap tables: prices.json.webSearchPerThousand: must be greater than 0');
  });

  test('that is not among the files may be in the cluster', () => {
    const { code, table } = run(documents(gateway, UPSTREAM));
    expect(code).toBe(0);
    expect(table).toContain('ConfigMap tables does not exist');
  });
});
