import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Slots, type Waiting } from './slots.ts';

describe('Slots', () => {
  test('[ROUTE-22] beyond the queue the answer is 529 at once', () => {
    const slots = new Slots(1);
    expect(slots.acquire(1, 1_000)).toBeUndefined();
    const waiting = slots.acquire(1, 1_000)!;
    waiting.granted.catch(() => undefined);
    expect(() => slots.acquire(1, 1_000)).toThrow(
      expect.objectContaining({ status: 529, reason: 'queue_full', retryAfterSeconds: 1 }) as Error,
    );
    waiting.cancel();
  });

  test('a turn given up after it was granted is not given up twice', async () => {
    const slots = new Slots(1);
    slots.acquire(1, 1_000);
    const waiting = slots.acquire(1, 1_000)!;
    slots.release();
    waiting.cancel();
    await waiting.granted;
    expect([slots.inUse, slots.queued]).toEqual([1, 0]);
  });

  test('[ROUTE-22] in any order of events: never more than the cap, nobody lost, nobody overtaken', async () => {
    const event = fc.oneof(
      fc.constantFrom('arrive' as const, 'end' as const, 'leave' as const),
      fc.integer({ min: 1, max: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 60 }), async (events) => {
        let cap = 2;
        const slots = new Slots(cap);
        const running: number[] = [];
        let queue: { id: number; waiting: Waiting }[] = [];
        let ids = 0;
        let refused = 0;
        let wronglyRefused = false;
        const started: number[] = [];
        const follow = async (id: number, { granted }: Waiting): Promise<void> => {
          const isGranted = await granted.then(
            () => true,
            () => false,
          );
          if (isGranted) {
            running.push(id);
            started.push(id);
          }
          queue = queue.filter((other) => other.id !== id);
        };
        for (const each of events) {
          if (typeof each === 'number') slots.resize((cap = each));
          else if (each === 'end' && running.pop() !== undefined) slots.release();
          else if (each === 'leave') queue.at(-1)?.waiting.cancel();
          else if (each === 'arrive') {
            const id = ids++;
            try {
              const waiting = slots.acquire(3, 10_000);
              if (waiting === undefined) {
                running.push(id);
                started.push(id);
              } else {
                queue.push({ id, waiting });
                void follow(id, waiting);
              }
            } catch {
              wronglyRefused ||= slots.queued < 3;
              refused++;
            }
          }
          const before = running.length;
          await new Promise<void>((resolve) => setImmediate(resolve));
          expect(slots.inUse).toBe(running.length);
          expect(slots.queued).toBe(queue.length);
          // A lower cap takes no place away, so more may run than it allows; but nobody starts above it, and nobody waits below it.
          expect(running.length <= before || running.length <= cap).toBe(true);
          expect(queue.length === 0 || slots.inUse >= cap).toBe(true);
        }
        expect(wronglyRefused).toBe(false);
        expect(started).toEqual(started.toSorted((a, b) => a - b));
        expect(started.length + queue.length + refused).toBeLessThanOrEqual(ids);
        while (running.pop() !== undefined || queue.length > 0) {
          slots.release();
          await new Promise<void>((resolve) => setImmediate(resolve));
        }
        expect([slots.inUse, slots.queued]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
