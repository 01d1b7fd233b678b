import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Benchmark, Findings } from "./figures.ts";
import { kafkaLeg } from "./real/kafka.ts";
import type { RealLeg } from "./real/leg.ts";
import { lockLeg } from "./real/lock.ts";
import { patchLeg } from "./real/patch.ts";
import { verdictLeg } from "./real/verdict.ts";

/** What is measured on real servers; a new one is a file beside these and a line here. */
const legs: readonly RealLeg[] = [patchLeg, lockLeg, verdictLeg, kafkaLeg];

/**
 * One after the other, each on servers of its own, which are fetched like those of `npm run test:real`. A leg whose parts cannot be had is left out, and said so.
 * `SLIPWAY_BENCH_LEGS=patch` takes only those of that name.
 */
export const real: Benchmark = {
  name: "real",
  async measure(say) {
    const asked = process.env.SLIPWAY_BENCH_LEGS?.split(",");
    const chosen = legs.filter(({ name }) => asked === undefined || asked.includes(name));
    const folder = await mkdtemp(join(tmpdir(), "slipway-bench-real-"));
    try {
      const gathered = await gather(chosen.flatMap(({ parts }) => parts));
      await writeFile(join(folder, "parts.json"), JSON.stringify(gathered));
      process.env.SLIPWAY_REAL_RUN = folder;
      const all: Findings[] = [];
      for (const leg of chosen) {
        const lacking = leg.parts.filter((part) => gathered.missing[part] !== undefined);
        if (lacking.length === 0) all.push(await leg.measure((line) => say(`${leg.name}: ${line}`)));
        else say(`${leg.name} left out: ${lacking.map((part) => `${part}: ${gathered.missing[part]}`).join("; ")}`);
      }
      return {
        runs: all.reduce((sum, { runs }) => sum + runs, 0),
        figures: Object.assign({}, ...all.map(({ figures }) => figures)) as Findings["figures"],
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function gather(names: readonly string[]): Promise<{ missing: Record<string, string> }> {
  const script = join(import.meta.dirname, "../scripts/real/gather.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...new Set(names)], { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout) as { missing: Record<string, string> };
}
