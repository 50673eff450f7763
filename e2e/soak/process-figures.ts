// What a process holds, seen from outside: memory, sockets and files from /proc, the rest from its metrics.
import { readdirSync, readlinkSync } from 'node:fs';
import { residentBytes } from '../bench/process-usage.ts';

export interface ProcessFigures {
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly sockets: number;
  /** Files and sockets. */
  readonly descriptors: number;
  readonly handles: number;
  /** Timers, immediates and requests that keep the process alive. */
  readonly resources: number;
}

export const MIB = 1024 * 1024;
/** Until the connection of a scrape is gone at the other end. */
const HANG_UP_MS = 50;

/** @returns the Prometheus text; the connection is closed, because one that stays would be counted */
export async function scrape(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  return response.text();
}

/** @param name of a metric with its labels, if it has any @returns its value; NaN when it is not there */
export function readMetric(text: string, name: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? Number.NaN);
}

/** @param text that the process was just scraped for */
export async function figuresOf(pid: number, text: string): Promise<ProcessFigures> {
  await new Promise((resolve) => setTimeout(resolve, HANG_UP_MS));
  const descriptors = openDescriptors(pid);
  return {
    rssMiB: residentBytes(pid) / MIB,
    heapMiB: readMetric(text, 'nodejs_heap_size_used_bytes') / MIB,
    sockets: descriptors.filter((target) => target.startsWith('socket:')).length,
    descriptors: descriptors.length,
    handles: readMetric(text, 'nodejs_active_handles_total'),
    resources: readMetric(text, 'nodejs_active_resources_total'),
  };
}

/** What each descriptor of a process leads to. */
function openDescriptors(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(`${folder}/${fd}`)];
    } catch {
      // Closed between the listing and the look.
      return [];
    }
  });
}
