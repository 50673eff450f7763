import { Counter, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { CounterFamily, HistogramFamily } from './families.ts';

test('[TELE-10] the page reads as if prom-client had counted itself', async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const counter = new CounterFamily(ours, 'calls_total', 'Calls.', ['model', 'status']);
  const histogram = new HistogramFamily(ours, 'seconds', 'Time.', ['model'], [0.1, 1, 10]);
  const theirCounter = new Counter({
    name: 'portcullis_calls_total',
    help: 'Calls.',
    labelNames: ['model', 'status'],
    registers: [theirs],
  });
  const theirHistogram = new Histogram({
    name: 'portcullis_seconds',
    help: 'Time.',
    labelNames: ['model'],
    buckets: [0.1, 1, 10],
    registers: [theirs],
  });
  for (const [model, status, amount] of [
    ['a', '200', 1],
    ['a"\\\n', '200', 2.5],
    ['a', '500', 3],
    ['a', '200', 4],
  ] as const) {
    counter.add(amount, model, status);
    theirCounter.inc({ model, status }, amount);
  }
  for (const [model, value] of [
    ['a', 0.1],
    ['a', 0.05],
    ['b', 1.5],
    ['a', 11],
    ['b', 10],
  ] as const) {
    histogram.observe(value, model);
    theirHistogram.observe({ model }, value);
  }
  expect(await ours.metrics()).toBe(await theirs.metrics());
});
