import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { Backlog } from './backlog.ts';

/** Everything that may be taken at a time, in order. */
function drain(backlog: Backlog<string>, now = 0): string[] {
  const taken: string[] = [];
  for (let next = backlog.take(now); next !== undefined; next = backlog.take(now))
    taken.push(`${next.key}=${next.item}`);
  return taken;
}

describe('lanes', () => {
  it('are emptied in order, newest and oldest of one lane in turns', () => {
    const backlog = new Backlog<string>(3);
    for (const name of ['a', 'b', 'c', 'd', 'e']) backlog.put(name, '1', 2, 0);
    backlog.put('urgent', '1', 0, 0);
    backlog.put('soon', '1', 1, 0);
    expect(drain(backlog)).toEqual(['urgent=1', 'soon=1', 'e=1', 'a=1', 'd=1', 'b=1', 'c=1']);
    expect(backlog.size).toBe(0);
  });

  it('hold the latest wish for an object, once, in its most urgent lane', () => {
    const backlog = new Backlog<string>(3);
    backlog.put('a', '1', 2, 0);
    backlog.put('b', '1', 2, 0);
    backlog.put('a', '2', 0, 0);
    backlog.put('a', '3', 2, 0);
    expect(backlog.size).toBe(2);
    expect(drain(backlog)).toEqual(['a=3', 'b=1']);
  });

  it('pass over what was removed', () => {
    const backlog = new Backlog<string>(1);
    backlog.put('a', '1', 0, 0);
    backlog.put('b', '1', 0, 0);
    backlog.remove('b');
    backlog.remove('never there');
    expect(drain(backlog)).toEqual(['a=1']);
  });
});

describe('an entry for later', () => {
  it('is taken when its time has come and not before', () => {
    const backlog = new Backlog<string>(1);
    expect(backlog.readyAt).toBe(Infinity);
    backlog.put('a', '1', 0, 1000);
    backlog.put('b', '1', 0, 500);
    expect(backlog.readyAt).toBe(500);
    expect(drain(backlog, 499)).toEqual([]);
    expect(drain(backlog, 500)).toEqual(['b=1']);
    expect(backlog.readyAt).toBe(1000);
    expect(drain(backlog, 5000)).toEqual(['a=1']);
  });

  it('comes sooner when asked to, never later', () => {
    const backlog = new Backlog<string>(2);
    backlog.put('a', '1', 1, 1000);
    backlog.put('a', '2', 1, 2000);
    expect(backlog.readyAt).toBe(1000);
    backlog.put('a', '3', 0, 0);
    expect(drain(backlog, 0)).toEqual(['a=3']);
  });
});

test('every entry comes out once, with its latest wish, and never before its time (property)', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const put = fc.record({
    key: fc.constantFrom(...names),
    lane: fc.integer({ min: 0, max: 3 }),
    delay: fc.constantFrom(0, 0, 100, 700),
    act: fc.constantFrom('put', 'put', 'put', 'remove', 'take', 'wait'),
  });
  fc.assert(
    fc.property(fc.array(put, { maxLength: 200 }), (steps) => {
      const backlog = new Backlog<string>(4);
      const wanted = new Map<string, { item: string; earliest: number }>();
      let now = 0;
      for (const [index, { key, lane, delay, act }] of steps.entries()) {
        if (act === 'wait') now += 300;
        else if (act === 'remove') {
          backlog.remove(key);
          wanted.delete(key);
        } else if (act === 'put') {
          const notBefore = delay === 0 ? 0 : now + delay;
          backlog.put(key, String(index), lane, notBefore);
          const earliest = Math.min(notBefore, wanted.get(key)?.earliest ?? Infinity);
          wanted.set(key, { item: String(index), earliest });
        }
        const taken = act === 'take' ? backlog.take(now) : undefined;
        const due = act === 'take' ? [...wanted].filter(([, { earliest }]) => earliest <= now) : [];
        // Something that is due, where anything is; and the latest wish for it.
        const found = due.find(([name]) => name === taken?.key);
        expect(found === undefined).toBe(due.length === 0);
        expect(found?.[1].item).toBe(taken?.item);
        wanted.delete(taken?.key ?? '');
        expect(backlog.size).toBe(wanted.size);
      }
      const rest = drain(backlog, now + 10_000).sort();
      expect(rest).toEqual([...wanted].map(([key, { item }]) => `${key}=${item}`).sort());
    }),
  );
});
