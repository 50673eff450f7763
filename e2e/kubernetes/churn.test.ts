// 2,000 keys and 50 policies edited at random under load, three replicas, two operators, all under the rules they ship with.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Churn, type ChurnReport } from '../harness/kubernetes/churn/churn.ts';
import { install, type Installation } from '../harness/kubernetes/installation.ts';

const seconds = Number(process.env['CHURN_SECONDS'] ?? 40);
const keys = Number(process.env['CHURN_KEYS'] ?? 2_000);

let installation: Installation | undefined;
let report: ChurnReport;

beforeAll(async () => {
  installation = await install({ operators: 2, environment: { PORTCULLIS_STATUS_QPS: '400' }, mock: { retain: 0 } });
  const churn = new Churn(installation, {
    keys,
    policies: 50,
    replicas: 3,
    editors: 3,
    flood: { connections: 6, pauseMs: 20 },
    durationMs: seconds * 1_000,
  });
  await churn.populate();
  report = await churn.run();
}, 600_000);

afterAll(() => installation?.close());

const percentile = (values: readonly number[], p: number): number =>
  Math.round(
    [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))] ?? Number.NaN,
  );

test('[AUTHZ-23] [KEY-08] [OPS-06] no answer is wrong after Programmed, none fails, every edit is obeyed by every replica', () => {
  const edits = Object.entries(report.enforced).map(
    ([edit, times]) => `${edit} ${times.length} × p50 ${percentile(times, 0.5)} p99 ${percentile(times, 0.99)} ms`,
  );
  process.stdout.write(
    `churn: ${report.calls} calls; ${edits.join('; ')}; Programmed p50 ${percentile(report.programmed, 0.5)} p99 ${percentile(report.programmed, 0.99)} ms\n`,
  );
  expect(report.wrong.slice(0, 10)).toEqual([]);
  for (const times of Object.values(report.enforced)) expect(times.length).toBeGreaterThan(0);
});
