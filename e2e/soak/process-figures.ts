// What a process holds, seen from outside: memory and sockets from /proc, slots and handles from its metrics.
import { readdirSync, readlinkSync } from 'node:fs';
import { residentBytes } from '../bench/process-usage.ts';

export interface Figures {
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly sockets: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly handles: number;
  /** Timers, immediates and requests that keep the process alive. */
  readonly resources: number;
}

const MIB = 1024 * 1024;

/** @param metricsUrl of the process; asking opens a connection, which is closed before sockets are counted */
export async function figuresOf(pid: number, metricsUrl: string): Promise<Figures> {
  const response = await fetch(metricsUrl, { headers: { connection: 'close' } });
  const text = await response.text();
  const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    rssMiB: residentBytes(pid) / MIB,
    heapMiB: read('nodejs_heap_size_used_bytes') / MIB,
    sockets: openSockets(pid),
    inFlight: read('portcullis_in_flight_upstream'),
    queued: read('portcullis_queued'),
    handles: read('nodejs_active_handles_total'),
    resources: read('nodejs_active_resources_total'),
  };
}

function openSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).startsWith('socket:');
    } catch {
      // Closed between the listing and the look.
      return false;
    }
  }).length;
}
