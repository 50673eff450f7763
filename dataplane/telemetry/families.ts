// Counters and histograms for the hot path. prom-client sorts and joins labels on every increment, which costs more than the rest of the
// books of a call; these are found by their label values in a fixed order and handed to prom-client's registry when it is asked.
import type { Registry } from 'prom-client';

interface Sample {
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

/** What a registry asks of a metric. */
interface Exposition {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram';
  readonly aggregator: 'sum';
  readonly values: Sample[];
}

abstract class Family<Cell> {
  readonly name: string;
  readonly #help: string;
  readonly #type: 'counter' | 'histogram';
  readonly #labelNames: readonly string[];
  readonly #cells = new Map<string, { readonly labels: Record<string, string>; readonly cell: Cell }>();

  constructor(
    registry: Registry,
    type: 'counter' | 'histogram',
    name: string,
    help: string,
    labelNames: readonly string[],
  ) {
    this.name = `portcullis_${name}`;
    this.#help = help;
    this.#type = type;
    this.#labelNames = labelNames;
    registry.registerMetric(this as never);
  }

  /** For the registry. */
  get(): Exposition {
    const values = [...this.#cells.values()].flatMap(({ labels, cell }) => this.samples(labels, cell));
    return { name: this.name, help: this.#help, type: this.#type, aggregator: 'sum', values };
  }

  /** The series of these label values, in the order of the label names. Values must be bounded: a series is never forgotten. */
  protected at(values: readonly string[]): Cell {
    const key = values.length === 1 ? values[0]! : values.join('\n');
    let series = this.#cells.get(key);
    if (series === undefined) {
      const labels = Object.fromEntries(this.#labelNames.map((name, index) => [name, values[index] ?? '']));
      series = { labels, cell: this.fresh() };
      this.#cells.set(key, series);
    }
    return series.cell;
  }

  protected abstract fresh(): Cell;
  protected abstract samples(labels: Record<string, string>, cell: Cell): Sample[];
}

export class CounterFamily extends Family<{ total: number }> {
  constructor(registry: Registry, name: string, help: string, labelNames: readonly string[]) {
    super(registry, 'counter', name, help, labelNames);
  }

  /** @param values label values in the order of the label names */
  add(amount: number, ...values: readonly string[]): void {
    this.at(values).total += amount;
  }

  protected fresh(): { total: number } {
    return { total: 0 };
  }

  protected samples(labels: Record<string, string>, { total }: { total: number }): Sample[] {
    return [{ labels, value: total }];
  }
}

interface Buckets {
  readonly counts: Float64Array;
  sum: number;
  count: number;
}

export class HistogramFamily extends Family<Buckets> {
  readonly #bounds: readonly number[];

  /** @param bounds upper bounds, rising */
  constructor(
    registry: Registry,
    name: string,
    help: string,
    labelNames: readonly string[],
    bounds: readonly number[],
  ) {
    super(registry, 'histogram', name, help, labelNames);
    this.#bounds = bounds;
  }

  observe(value: number, ...values: readonly string[]): void {
    const cell = this.at(values);
    cell.sum += value;
    cell.count++;
    let index = 0;
    while (index < this.#bounds.length && value > this.#bounds[index]!) index++;
    if (index < this.#bounds.length) cell.counts[index]!++;
  }

  protected fresh(): Buckets {
    return { counts: new Float64Array(this.#bounds.length), sum: 0, count: 0 };
  }

  protected samples(labels: Record<string, string>, { counts, sum, count }: Buckets): Sample[] {
    let below = 0;
    const buckets = this.#bounds.map((bound, index) => {
      below += counts[index]!;
      return { metricName: `${this.name}_bucket`, labels: { le: bound, ...labels }, value: below };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ];
  }
}
