import type { PrometheusQuery } from "./prometheus-query.ts";

/** Samples that are older say nothing about now: twice as long as a mesh may go between two scrapes. */
export const staleAfterMs = 30_000;

export const scrapeOftener =
  "let it scrape the mesh every 15 s or less (scrape_interval), and see among its targets that each answers";

/**
 * When anything of a selector was scraped last, for selectors of very many series: all who ask at the same time share one question, and its answer
 * serves for as long as it shows what is no older than `staleAfterMs`. What is kept can only be older than the truth, so that it never makes a mesh
 * look alive that is not; one that is away is asked about each time.
 */
export function newestSamples(ask: PrometheusQuery, staleAfterMs: number) {
  const known = new Map<string, number>();
  const asking = new Map<string, Promise<number | undefined>>();
  const isFresh = (newest: number, at: number) => (at - newest) * 1_000 <= staleAfterMs;

  async function askAnew(selector: string): Promise<number | undefined> {
    const { at, series } = await ask(`max(timestamp(${selector}))`);
    const newest = series[0]?.value;
    // Selectors may hold the names of versions, of which there are ever more.
    for (const [other, seen] of known) if (!isFresh(seen, at)) known.delete(other);
    if (newest !== undefined) known.set(selector, newest);
    return newest;
  }

  /** Seconds by Prometheus's clock, as `at` is; undefined where there is none. */
  return async (selector: string, at: number): Promise<number | undefined> => {
    const kept = known.get(selector);
    if (kept !== undefined && isFresh(kept, at)) return kept;
    const present = asking.get(selector);
    if (present !== undefined) return await present;
    const asked = askAnew(selector).finally(() => asking.delete(selector));
    asking.set(selector, asked);
    return await asked;
  };
}
