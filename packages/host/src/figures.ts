import { within } from "@slipway/kernel";
import { Counter, Gauge } from "prom-client";
import type { Meters } from "./meters.ts";

export type FigureValue = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** Something that a service says of its work in `/metrics`. */
export type Figure = {
  readonly name: `slipway_${string}`;
  readonly help: string;
  readonly kind: "gauge" | "counter";
  readonly labels: readonly string[];
  /** Asked at each scrape. What fails, or takes too long, is absent from that scrape. */
  read(): readonly FigureValue[] | Promise<readonly FigureValue[]>;
};

export type Tally = { readonly figure: Figure; add(labels: Readonly<Record<string, string>>): void };

/** A scrape is not held up by what hangs. */
const withinMs = 1_500;

export function measureFigures({ registry }: Meters, figures: readonly Figure[]): void {
  for (const { name, help, kind, labels, read } of figures) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    const values = async () => within(withinMs, Promise.resolve().then(read), () => []).catch(() => []);
    if (kind === "gauge") {
      new Gauge({
        ...options,
        async collect() {
          const found = await values();
          this.reset();
          for (const { labels: of, value } of found) this.set(of, value);
        },
      });
      continue;
    }
    new Counter({
      ...options,
      async collect() {
        const found = await values();
        this.reset();
        for (const { labels: of, value } of found) this.inc(of, value);
      },
    });
  }
}

/**
 * Counts from the start of the process on. What is `known` beforehand is there with 0 from the first scrape on: a series that begins with 1 has risen
 * by nothing in the eyes of `increase`.
 */
export function tally(
  about: Pick<Figure, "name" | "help" | "labels">,
  known: readonly Readonly<Record<string, string>>[] = [],
): Tally {
  const counted = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>();
  const entry = (labels: Readonly<Record<string, string>>) => {
    const key = about.labels.map((label) => labels[label]).join("\n");
    const found = counted.get(key) ?? { labels, value: 0 };
    counted.set(key, found);
    return found;
  };
  for (const labels of known) entry(labels);
  return {
    figure: { ...about, kind: "counter", read: () => [...counted.values()] },
    add(labels) {
      entry(labels).value += 1;
    },
  };
}

/** The figures of one scrape share one reading. */
export function shared<T>(read: () => Promise<T>): () => Promise<T> {
  let under: Promise<T> | undefined;
  return () => {
    under ??= read().finally(() => {
      under = undefined;
    });
    return under;
  };
}
