// What a process holds when all is over that it did not hold before anything began.
import type { ProcessFigures } from './process-figures.ts';

const COUNTED = ['sockets', 'descriptors', 'handles', 'resources'] as const;

/** In words; nothing when everything was given back. @param who holds it, such as `leader: ` */
export function leftovers(baseline: ProcessFigures, last: ProcessFigures, who = ''): string[] {
  return COUNTED.filter((name) => !(last[name] <= baseline[name])).map(
    (name) => `${who}${last[name]} ${name} are open at the end, ${baseline[name]} were at the start`,
  );
}
