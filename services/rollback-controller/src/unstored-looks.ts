import type { Look, Sample } from "@slipway/judge";
import { type Instant, msBetween } from "@slipway/kernel";

export type StoredLook = { readonly at: Instant; readonly look: Look };

/** Looks kept while they cannot be stored: some hours of them. */
const mostLooks = 20_000;
/** For so long the looks of a version at 100% wait for each other: a watch has some minutes below that and a day of them. */
const waitMs = 30_000;

/**
 * What a watch saw and the database does not have yet. No verdict needs it: what the judge made of it is in the snapshot. Looks below 100% are stored with
 * each snapshot; those at 100%, where little happens, many at once, and without latencies, which the judge asks for no more.
 */
export class UnstoredLooks {
  #looks: StoredLook[] = [];
  #isUrgent = false;

  add({ at, look }: StoredLook, isFull: boolean): void {
    this.#looks.push({ at, look: isFull ? withoutLatencies(look) : look });
  }

  /** Something happened: what was seen until now is stored with the next snapshot. */
  hurry(): void {
    this.#isUrgent = true;
  }

  /** Those that are to be stored now; the caller stores them, or gives them back. */
  take(now: Instant, mayWait: boolean): readonly StoredLook[] {
    const oldest = this.#looks[0];
    const isEarly = mayWait && !this.#isUrgent;
    this.#isUrgent = false;
    if (oldest === undefined || (isEarly && msBetween(oldest.at, now) < waitMs)) return [];
    return this.#looks.splice(0);
  }

  giveBack(looks: readonly StoredLook[]): void {
    if (looks.length === 0) return;
    this.#isUrgent = true;
    this.#looks = [...looks, ...this.#looks].slice(-mostLooks);
  }
}

function withoutLatencies({ regions }: Look): Look {
  const without = (sample: Sample): Sample => ({ ...sample, latency: { le: [], counts: [] } });
  return {
    regions: Object.fromEntries(
      Object.entries(regions).map(([region, { canary, baseline }]) => [
        region,
        { canary: without(canary), baseline: without(baseline) },
      ]),
    ),
  };
}
