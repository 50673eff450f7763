import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Breakers, MAX_COOL_DOWN_MS } from './breaker.ts';

const rule = { consecutiveFailures: 3, openFor: 100 };

function clock() {
  const time = { now: 0 };
  return { time, breakers: new Breakers(() => time.now) };
}

function fail(breakers: Breakers, times: number, upstream = 'a'): void {
  for (let i = 0; i < times; i++) breakers.failed(upstream, 'm', rule);
}

const isOpen = (breakers: Breakers, upstream = 'a', model = 'm') => breakers.conditionOf(upstream, model) === 'open';

describe('Breakers', () => {
  test('[ROUTE-06] opens at the third failure in a row and not before', () => {
    const { breakers } = clock();
    fail(breakers, 2);
    expect(isOpen(breakers)).toBe(false);
    fail(breakers, 1);
    expect(isOpen(breakers)).toBe(true);
  });

  test('a success in between starts the count again', () => {
    const { breakers } = clock();
    fail(breakers, 2);
    breakers.succeeded('a', 'm');
    fail(breakers, 2);
    expect(isOpen(breakers)).toBe(false);
  });

  test('upstreams do not share their health', () => {
    const { breakers } = clock();
    fail(breakers, 3);
    expect(isOpen(breakers, 'b')).toBe(false);
  });

  test('[ROUTE-13] [ROUTE-15] nor do the models of one upstream, neither failures nor cool-downs', () => {
    const { breakers } = clock();
    fail(breakers, 3);
    breakers.coolDown('a', 'n', 50);
    expect(['m', 'n', 'o'].map((model) => breakers.conditionOf('a', model))).toEqual(['open', 'cooling', 'well']);
    breakers.succeeded('a', 'o');
    expect(['m', 'n', 'o'].map((model) => breakers.conditionOf('a', model))).toEqual(['open', 'cooling', 'well']);
  });

  test('half open after its time; the first try makes the others keep away again', () => {
    const { breakers, time } = clock();
    fail(breakers, 3);
    time.now = 99;
    expect(isOpen(breakers)).toBe(true);
    time.now = 100;
    expect(isOpen(breakers)).toBe(false);
    breakers.trying('a', 'm', rule);
    expect(isOpen(breakers)).toBe(true);
    time.now = 200;
    expect(isOpen(breakers)).toBe(false);
  });

  test('one failed probe opens it for the whole time again, one success closes it', () => {
    const { breakers, time } = clock();
    fail(breakers, 3);
    time.now = 150;
    breakers.trying('a', 'm', rule);
    fail(breakers, 1);
    time.now = 249;
    expect(isOpen(breakers)).toBe(true);
    time.now = 250;
    breakers.trying('a', 'm', rule);
    breakers.succeeded('a', 'm');
    expect(isOpen(breakers)).toBe(false);
    fail(breakers, 2);
    expect(isOpen(breakers)).toBe(false);
  });

  test('a try while closed changes nothing', () => {
    const { breakers } = clock();
    fail(breakers, 2);
    breakers.trying('a', 'm', rule);
    expect(isOpen(breakers)).toBe(false);
  });

  test('keeps the health of upstreams that stay and forgets the others', () => {
    const { breakers } = clock();
    fail(breakers, 3, 'a');
    fail(breakers, 3, 'b');
    breakers.keep(new Set(['a']));
    expect([isOpen(breakers), isOpen(breakers, 'b')]).toEqual([true, false]);
  });

  test('whatever happens, a success closes it and an upstream is never left alone for longer than openFor', () => {
    const event = fc.constantFrom('fail', 'try', 'succeed', 'wait');
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const { breakers, time } = clock();
        for (const each of events) {
          if (each === 'fail') breakers.failed('a', 'm', rule);
          else if (each === 'try') breakers.trying('a', 'm', rule);
          else if (each === 'wait') time.now += 40;
          else breakers.succeeded('a', 'm');
          expect(each === 'succeed' && isOpen(breakers)).toBe(false);
        }
        time.now += rule.openFor;
        expect(isOpen(breakers)).toBe(false);
      }),
    );
  });

  test.each([
    ['as long as it was asked for', 5_000, 5_000],
    ['no longer than a minute', 86_400_000, MAX_COOL_DOWN_MS],
  ])('[ROUTE-13] a cool-down lasts %s', (_name, asked, lasts) => {
    const { breakers, time } = clock();
    breakers.coolDown('a', 'm', asked);
    time.now = lasts - 1;
    expect(breakers.conditionOf('a', 'm')).toBe('cooling');
    time.now = lasts;
    expect(breakers.conditionOf('a', 'm')).toBe('well');
  });

  test('a shorter cool-down does not cut a longer one, nor does a late success', () => {
    const { breakers, time } = clock();
    breakers.coolDown('a', 'm', 100);
    breakers.coolDown('a', 'm', 10);
    breakers.succeeded('a', 'm');
    time.now = 99;
    expect(breakers.conditionOf('a', 'm')).toBe('cooling');
  });
});
