// Whether memory grows on: from the middle of a run to its end. Allocators keep what they had at the peak and caches fill up, so the first half
// says nothing; what grows in the second half is a leak.
import type { ProcessFigures } from './process-figures.ts';

export type Memory = Pick<ProcessFigures, 'rssMiB' | 'heapMiB'>;

export interface Growth {
  readonly middle: Memory;
  readonly end: Memory;
}

/** Looks taken together: one alone may fall on a collection. */
const LOOKS = 3;

/** First of the looks that are the middle of a run. */
export const middleOf = (looks: number): number => Math.max(0, Math.floor(looks / 2) - 1);

/** Of RSS the median of three looks, of the heap the lowest, which is close to what is in use. @param quiet looks in their order */
export function growthOf(quiet: readonly Memory[]): Growth {
  const from = middleOf(quiet.length);
  return { middle: typical(quiet.slice(from, from + LOOKS)), end: typical(quiet.slice(-LOOKS)) };
}

/** What grew more than it may, in words. @param most of each that it may grow by @param who the memory's owner, such as `leader: ` */
export function excess({ middle, end }: Growth, most: Memory, who = ''): string[] {
  const grown = (what: string, from: number, to: number, allowed: number): string[] =>
    // Written so that what cannot be read is a fault as well.
    to - from <= allowed ? [] : [`${who}${what} grew by ${(to - from).toFixed(1)} MiB from the middle to the end`];
  return [
    ...grown('memory', middle.rssMiB, end.rssMiB, most.rssMiB),
    ...grown('the heap', middle.heapMiB, end.heapMiB, most.heapMiB),
  ];
}

function typical(looks: readonly Memory[]): Memory {
  const sizes = looks.map(({ rssMiB }) => rssMiB).sort((a, b) => a - b);
  return {
    rssMiB: sizes[sizes.length >> 1] ?? Number.NaN,
    heapMiB: looks.length === 0 ? Number.NaN : Math.min(...looks.map(({ heapMiB }) => heapMiB)),
  };
}
