/** What a process has used, read from /proc: CPU time and resident memory. Linux only. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

let ticksPerSecond: number | undefined;

/**
 * CPU microseconds of all threads of a process since its start, user and system.
 * Fields 14 and 15 of /proc/PID/stat (proc_pid_stat(5)), in clock ticks of 10 ms on the usual kernels: measure over seconds.
 */
export function cpuMicros(pid: number): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return (cpuTicks(readFileSync(`/proc/${pid}/stat`, 'utf8')) / ticksPerSecond) * 1_000_000;
}

/** utime + stime of a stat line. The command name may hold spaces and brackets, so fields are counted from its last one. */
export function cpuTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Resident bytes of a process (VmRSS). */
export function residentBytes(pid: number): number {
  return memoryBytes(pid, 'VmRSS');
}

/** V8 gives pages back only some ten seconds after they fell empty; a size read earlier is that of the start, not of the service. */
const RELEASE_MS = 14_000;

/** Resident bytes once what the start left behind is given back. */
export async function settledBytes(pid: number): Promise<number> {
  await sleep(RELEASE_MS);
  return residentBytes(pid);
}

/** The most a process was resident with so far (VmHWM). */
export function peakResidentBytes(pid: number): number {
  return memoryBytes(pid, 'VmHWM');
}

function memoryBytes(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} has no resident memory: it has ended`);
  return Number(kilobytes) * 1024;
}

/** The first child of a process, or undefined while it has none. */
export function childOf(pid: number): number | undefined {
  const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0];
  return first === undefined || first === '' ? undefined : Number(first);
}
