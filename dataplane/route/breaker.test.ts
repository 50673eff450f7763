import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Breakers } from './breaker.ts';

const rule = { consecutiveFailures: 3, openFor: 100 };

function clock() {
  const time = { now: 0 };
  return { time, breakers: new Breakers(() => time.now) };
}

function fail(breakers: Breakers, times: number, upstream = 'a'): void {
  for (let i = 0; i < times; i++) breakers.failed(upstream, rule);
}

describe('Breakers', () => {
  test('[ROUTE-06] opens at the third failure in a row and not before', () => {
    const { breakers } = clock();
    fail(breakers, 2);
    expect(breakers.isOpen('a')).toBe(false);
    fail(breakers, 1);
    expect(breakers.isOpen('a')).toBe(true);
  });

  test('a success in between starts the count again', () => {
    const { breakers } = clock();
    fail(breakers, 2);
    breakers.succeeded('a');
    fail(breakers, 2);
    expect(breakers.isOpen('a')).toBe(false);
  });

  test('upstreams do not share their health', () => {
    const { breakers } = clock();
    fail(breakers, 3);
    expect(breakers.isOpen('b')).toBe(false);
  });

  test('half open after its time; the first try makes the others keep away again', () => {
    const { breakers, time } = clock();
    fail(breakers, 3);
    time.now = 99;
    expect(breakers.isOpen('a')).toBe(true);
    time.now = 100;
    expect(breakers.isOpen('a')).toBe(false);
    breakers.trying('a', rule);
    expect(breakers.isOpen('a')).toBe(true);
    time.now = 200;
    expect(breakers.isOpen('a')).toBe(false);
  });

  test('one failed probe opens it for the whole time again, one success closes it', () => {
    const { breakers, time } = clock();
    fail(breakers, 3);
    time.now = 150;
    breakers.trying('a', rule);
    fail(breakers, 1);
    time.now = 249;
    expect(breakers.isOpen('a')).toBe(true);
    time.now = 250;
    breakers.trying('a', rule);
    breakers.succeeded('a');
    expect(breakers.isOpen('a')).toBe(false);
    fail(breakers, 2);
    expect(breakers.isOpen('a')).toBe(false);
  });

  test('a try while closed changes nothing', () => {
    const { breakers } = clock();
    fail(breakers, 2);
    breakers.trying('a', rule);
    expect(breakers.isOpen('a')).toBe(false);
  });

  test('keeps the health of upstreams that stay and forgets the others', () => {
    const { breakers } = clock();
    fail(breakers, 3, 'a');
    fail(breakers, 3, 'b');
    breakers.keep(new Set(['a']));
    expect([breakers.isOpen('a'), breakers.isOpen('b')]).toEqual([true, false]);
  });

  test('whatever happens, a success closes it and an upstream is never left alone for longer than openFor', () => {
    const event = fc.constantFrom('fail', 'try', 'succeed', 'wait');
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const { breakers, time } = clock();
        for (const each of events) {
          if (each === 'fail') breakers.failed('a', rule);
          else if (each === 'try') breakers.trying('a', rule);
          else if (each === 'wait') time.now += 40;
          else breakers.succeeded('a');
          expect(each === 'succeed' && breakers.isOpen('a')).toBe(false);
        }
        time.now += rule.openFor;
        expect(breakers.isOpen('a')).toBe(false);
      }),
    );
  });
});
