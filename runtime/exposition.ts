import { Counter, Gauge, Histogram, type LabelValues, Registry } from "prom-client";

/** One series of a metric: its labels and its value. */
export type Row = readonly [labels: Readonly<Record<string, string>>, value: number];

/** What a metric is called and what its help line says; the name ends in its unit. */
export interface MetricName {
  readonly name: string;
  readonly help: string;
}

/** A distribution that was counted elsewhere. */
export interface Counted {
  readonly labels: Readonly<Record<string, string>>;
  /** How many fell up to each bound and above the one before it; one more at the end for those above all. */
  readonly buckets: readonly number[];
  readonly sum: number;
}

/**
 * One answer to a scrape, in a registry of its own: numbers are set as they stand, and nothing is kept. A metric that has
 * no rows is left out, for without labels prom-client would show it as 0.
 */
export class Exposition {
  readonly #registry = new Registry();

  get contentType(): string {
    return this.#registry.contentType;
  }

  gauge(metric: MetricName, rows: readonly Row[]): this {
    if (rows.length === 0) return this;
    const gauge = new Gauge({ ...metric, labelNames: labelsOf(rows), registers: [this.#registry] });
    for (const [labels, value] of rows) gauge.set(labels, value);
    return this;
  }

  counter(metric: MetricName, rows: readonly Row[]): this {
    if (rows.length === 0) return this;
    const counter = new Counter({ ...metric, labelNames: labelsOf(rows), registers: [this.#registry] });
    for (const [labels, value] of rows) counter.inc(labels, value);
    return this;
  }

  histogram(metric: MetricName, bounds: readonly number[], rows: readonly Counted[]): this {
    if (rows.length > 0) new CountedHistogram(metric, { bounds, rows, registry: this.#registry });
    return this;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function labelsOf(rows: readonly Row[]): string[] {
  return Object.keys(rows[0]?.[0] ?? {});
}

interface HistogramSource {
  readonly bounds: readonly number[];
  readonly rows: readonly Counted[];
  readonly registry: Registry;
}

/** prom-client counts histograms itself; this one shows counts that were made elsewhere. */
class CountedHistogram extends Histogram {
  readonly #metric: MetricName;
  readonly #source: HistogramSource;

  constructor(metric: MetricName, source: HistogramSource) {
    super({ ...metric, buckets: [...source.bounds], registers: [source.registry] });
    this.#metric = metric;
    this.#source = source;
  }

  /** What prom-client's registry asks a histogram for. */
  async getForPromString(): Promise<object> {
    const { name, help } = this.#metric;
    const values = this.#source.rows.flatMap((row) => this.#seriesOf(row));
    return { name, help, type: "histogram", values, aggregator: "sum" };
  }

  #seriesOf({ labels, buckets, sum }: Counted): object[] {
    const { name } = this.#metric;
    const series = (suffix: string, value: number, le?: string): object => {
      const own: LabelValues<string> = le === undefined ? labels : { ...labels, le };
      return { metricName: `${name}_${suffix}`, labels: own, value };
    };
    let count = 0;
    const cumulative = buckets.map((inBucket, at) => {
      count += inBucket;
      return series("bucket", count, String(this.#source.bounds[at] ?? "+Inf"));
    });
    return [...cumulative, series("sum", sum), series("count", count)];
  }
}
