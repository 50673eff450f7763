// `make soak`: mixed load and faults for a few minutes each (SOAK_MINUTES, default 3), first on the data plane, then on the operator with its pods
// (SOAK_PARTS chooses). Now and then everybody pauses and the processes are looked at. Exit 1 when something is not what it should be.
import { soakDataPlane } from './dataplane/soak.ts';
import { soakOperator } from './operator/soak.ts';

const PARTS: Readonly<Record<string, (minutes: number) => Promise<string[]>>> = {
  dataplane: soakDataPlane,
  operator: soakOperator,
};

const minutes = Number(process.env['SOAK_MINUTES'] || 3);
const wanted = (process.env['SOAK_PARTS'] || Object.keys(PARTS).join()).split(',');
const unknown = wanted.filter((part) => !(part in PARTS));
if (unknown.length > 0 || !(minutes > 0)) {
  process.stderr.write(`soak: SOAK_MINUTES is a number, SOAK_PARTS some of ${Object.keys(PARTS).join()}\n`);
  process.exit(2);
}

let violated = 0;
for (const part of wanted) {
  process.stdout.write(`soak: ${part}, ${minutes} minutes\n`);
  const violations = await PARTS[part]!(minutes);
  for (const violation of violations) process.stdout.write(`VIOLATION  ${part}: ${violation}\n`);
  violated += violations.length;
}
process.stdout.write(violated === 0 ? 'soak: everything is where it was\n' : `soak: ${violated} violations\n`);
process.exitCode = violated === 0 ? 0 : 1;
