import { exposureIsConsistent, type RunReport } from "./report.ts";

export type Check = { readonly what: string; readonly holds: boolean };

const leastCanaryRequests = 459;
/** A gate ends when its evidence is enough, so that its share is no plain sample: only what no such weight would give is refused. */
const leastChance = 1e-6;

/** Everything that must hold for the run to count as good. Pure: over the report and what else was looked at. */
export function checks(
  report: RunReport,
  seen: { readonly notified: boolean; readonly previousServesAll: boolean },
): readonly Check[] {
  const { good, bad } = report;
  const gates = good.evidence.filter((gate) => gate.weight_percent < 100);
  return [
    { what: "the good change ended SUCCEEDED", holds: good.status === "SUCCEEDED" },
    { what: "the good change failed no request", holds: good.failed_requests === 0 },
    {
      what: "every region climbed 5, 25, 50, 100",
      holds: good.regions.length > 0 && good.regions.every((region) => climbed(good.weights_seen[region] ?? [])),
    },
    {
      what: "every gate passed on evidence",
      holds:
        gates.length === 3 &&
        gates.every((gate) => gate.verdict === "PASS" && gate.canary_requests >= leastCanaryRequests),
    },
    {
      what: "the evidence of every gate was gathered at its weight",
      holds: gates.every(({ canary_requests: canary, baseline_requests: baseline, weight_percent: weight }) =>
        exposureIsConsistent(canary, canary + baseline, weight, leastChance),
      ),
    },
    { what: "the bad change ended ROLLED_BACK", holds: bad.status === "ROLLED_BACK" },
    { what: "by a verdict, and nobody's hand", holds: bad.evidence.some(({ verdict }) => verdict === "FAIL") },
    {
      what: "no proxy served the bad version above 5%",
      holds: bad.max_weight_percent > 0 && bad.max_weight_percent <= 5,
    },
    {
      what: "its share of the requests is what 5% gives",
      holds: Object.values(bad.exposure).every((own) => exposureIsConsistent(own.to_bad_version, own.requests, 5)),
    },
    {
      what: "traffic came back in every region",
      holds: bad.regions.every((region) => bad.traffic_back_at[region] != null),
    },
    { what: "the notification went out", holds: seen.notified },
    { what: "the previous version serves every request", holds: seen.previousServesAll },
  ];
}

/** The weights of the plan in order; a look between two writes may have missed none of them for long. */
function climbed(weights: readonly number[]): boolean {
  const first = weights.filter((weight, i) => weight > 0 && weight !== weights[i - 1]);
  return [5, 25, 50, 100].every((weight, i) => first[i] === weight);
}
