import { expect, test } from 'vitest';
import { Affinities, AFFINITY_MS } from './strategy-affinity.ts';

function affinities(max = 3) {
  const time = { now: 0 };
  return { time, places: new Affinities(() => time.now, max) };
}

test('a place is remembered for half an hour after it was last renewed', () => {
  const { time, places } = affinities();
  places.remember('s', 'a', true);
  time.now = AFFINITY_MS - 1;
  places.remember('s', 'a', true);
  time.now += AFFINITY_MS - 1;
  expect(places.of('s')).toBe('a');
  time.now++;
  expect(places.of('s')).toBeUndefined();
  expect(places.size).toBe(0);
});

test('without renewal it ends half an hour after it began, and may begin again', () => {
  const { time, places } = affinities();
  places.remember('s', 'a', false);
  time.now = AFFINITY_MS - 1;
  places.remember('s', 'a', false);
  expect(places.of('s')).toBe('a');
  time.now = AFFINITY_MS;
  expect(places.of('s')).toBeUndefined();
  places.remember('s', 'a', false);
  expect(places.of('s')).toBe('a');
});

test('another upstream replaces the one before at once', () => {
  const { places } = affinities();
  places.remember('s', 'a', true);
  places.remember('s', 'b', false);
  expect(places.of('s')).toBe('b');
  places.forget('s');
  expect(places.of('s')).toBeUndefined();
});

test('it is bounded: the session longest unused is forgotten first', () => {
  const { places } = affinities();
  for (const session of ['s', 't', 'u']) places.remember(session, 'a', true);
  places.remember('s', 'a', true);
  places.remember('v', 'a', true);
  expect(['s', 't', 'u', 'v'].map((session) => places.of(session))).toEqual(['a', undefined, 'a', 'a']);
  expect(places.size).toBe(3);
});
