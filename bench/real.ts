import type { Benchmark, Findings } from "./figures.ts";
import { kafkaLeg } from "./real/kafka.ts";
import type { RealLeg } from "./real/leg.ts";
import { lockLeg } from "./real/lock.ts";
import { patchLeg } from "./real/patch.ts";
import { statusLeg } from "./real/status.ts";
import { verdictLeg } from "./real/verdict.ts";
import { type Missing, withParts } from "./real-parts.ts";

/** What is measured on real servers; a new one is a file beside these and a line here. */
const legs: readonly RealLeg[] = [patchLeg, lockLeg, statusLeg, verdictLeg, kafkaLeg];

/**
 * One after the other, each on servers of its own, which are fetched like those of `npm run test:real`. A leg whose parts cannot be had is left out, and said so.
 * `SLIPWAY_BENCH_LEGS=patch` takes only those of that name.
 */
export const real: Benchmark = {
  name: "real",
  async measure(say) {
    const asked = process.env.SLIPWAY_BENCH_LEGS?.split(",");
    const unknown = asked?.find((name) => !legs.some((leg) => leg.name === name));
    if (unknown !== undefined)
      throw new Error(`no leg is called ${unknown}: ${legs.map(({ name }) => name).join(", ")}`);
    const chosen = legs.filter(({ name }) => asked === undefined || asked.includes(name));
    const all: Findings[] = [];
    for (const leg of chosen) {
      const found = await withParts(leg.parts, (missing) => measureLeg(leg, missing, say), leg.ownDisks);
      if (found !== undefined) all.push(found);
    }
    return {
      runs: all.reduce((sum, { runs }) => sum + runs, 0),
      figures: Object.assign({}, ...all.map(({ figures }) => figures)) as Findings["figures"],
    };
  },
};

async function measureLeg(leg: RealLeg, missing: Missing, say: (line: string) => void): Promise<Findings | undefined> {
  const lacking = leg.parts.filter((part) => missing[part] !== undefined);
  if (lacking.length === 0) return await leg.measure((line) => say(`${leg.name}: ${line}`));
  say(`${leg.name} left out: ${lacking.map((part) => `${part}: ${missing[part]}`).join("; ")}`);
  return undefined;
}
