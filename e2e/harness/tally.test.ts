import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const TALLY = new URL('tally.mjs', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'portcullis-tally-'));
afterAll(() => rmSync(folder, { recursive: true }));

const good = { numPassedTests: 3, numFailedTests: 0, success: true, testResults: [] };
const unloaded = { status: 'failed', assertionResults: [] };

test.each([
  ['all passed', [good, { ...good, numPassedTests: 4 }], '7 passed, 0 failed', 0],
  ['a test failed', [good, { ...good, numFailedTests: 2, success: false }], '6 passed, 2 failed', 1],
  ['a file could not be loaded', [{ ...good, success: false, testResults: [unloaded] }], '3 passed, 1 failed', 1],
  ['a global setup failed', [good, { ...good, numPassedTests: 0, success: false }], '3 passed, 1 failed', 1],
  ['an error outside of tests', [{ ...good, success: false }], '3 passed, 1 failed', 1],
  ['a run found no tests', [good, { ...good, numPassedTests: 0 }], '3 passed, 1 failed', 1],
  ['a run left no results', [good, undefined], '3 passed, 1 failed', 1],
])('%s', (title, results, line, code) => {
  const { stdout, status } = tally(title, results);
  expect([stdout.trim().split('\n').at(-1), status]).toEqual([line, code]);
});

test('what failed is named with its message, in plain text', () => {
  const told = { status: 'failed', fullName: 'a test', failureMessages: ['\u001b[31mexpected 1\u001b[39m\nat here'] };
  const failing = { name: 'some.test.ts', status: 'failed', assertionResults: [{ status: 'passed' }, told] };
  const broken = { ...unloaded, name: 'other.test.ts', message: 'cannot be read' };
  const { stdout } = tally('named', [{ ...good, numFailedTests: 1, success: false, testResults: [failing, broken] }]);
  expect(stdout).toBe(
    'FAILED some.test.ts > a test\n  expected 1\n  at here\n' +
      'FAILED other.test.ts\n  cannot be read\n3 passed, 2 failed\n',
  );
});

function tally(title: string, results: readonly (object | undefined)[]) {
  const files = results.map((result, index) => {
    const file = join(folder, `${title} ${index}.json`);
    if (result !== undefined) writeFileSync(file, JSON.stringify(result));
    return file;
  });
  return spawnSync(process.execPath, [TALLY, ...files], { encoding: 'utf8' });
}
