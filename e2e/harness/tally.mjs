// Adds up the result files of the test runs and prints the closing line of CI. A run that left no file, one that could not begin, and a
// file that could not even be loaded count as a failure each. What failed is said once more before it, where a log that was cut still has it.
// Plain JavaScript: it also runs on the machine's own, older Node.
import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const MESSAGE_LINES = 12;
let passed = 0;
let failed = 0;

function sayFailures({ name, message, assertionResults }) {
  if (assertionResults.length === 0) say(name, message ?? '');
  for (const test of assertionResults) {
    if (test.status === 'failed') say(`${name} > ${test.fullName}`, (test.failureMessages ?? []).join('\n'));
  }
}

function say(title, message) {
  const lines = stripVTControlCharacters(message).split('\n');
  console.log([`FAILED ${title}`, ...lines.slice(0, MESSAGE_LINES).map((line) => `  ${line}`)].join('\n'));
}

for (const file of process.argv.slice(2)) {
  try {
    const results = JSON.parse(readFileSync(file, 'utf8'));
    const unloaded = results.testResults.filter(
      (suite) => suite.status === 'failed' && suite.assertionResults.length === 0,
    ).length;
    const failures = results.numFailedTests + unloaded;
    // A global setup that failed leaves a file without tests, an error outside of tests one where all of them passed.
    const troubled = failures === 0 && (!results.success || results.numPassedTests === 0);
    if (troubled) console.log(`${file}: the run failed outside of its tests`);
    passed += results.numPassedTests;
    failed += failures + (troubled ? 1 : 0);
    results.testResults.filter(({ status }) => status === 'failed').forEach(sayFailures);
  } catch {
    console.log(`${file}: no results`);
    failed += 1;
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
