import type { Look } from "@slipway/judge";

/** Looks in a row without a request after which a version that may rest does. */
const quietLooks = 10;
const everyTicks = 3;

/** How often a version is looked at to which nothing comes: at every third tick instead of each, until the first request. */
export class Rest {
  #quiet = 0;
  #ticks = 0;

  seen({ regions }: Look): void {
    const requests = Object.values(regions).map(({ canary, baseline }) => canary.requests + baseline.requests);
    this.#quiet = requests.every((count) => count === 0) ? this.#quiet + 1 : 0;
  }

  end(): void {
    this.#quiet = 0;
  }

  /** Asked at each tick: whether this one is let go by. */
  skips(mayRest: boolean): boolean {
    this.#ticks += 1;
    return mayRest && this.#quiet >= quietLooks && this.#ticks % everyTicks !== 0;
  }
}
