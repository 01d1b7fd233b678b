import type { WatchRequest } from "@slipway/contracts";
import type { Sample } from "@slipway/judge";
import type { VersionName } from "@slipway/kernel";
import { mergeHistograms, type ReadingDelta, type VersionReading } from "@slipway/metrics";

/** What canary and baseline of one region did between two readings. */
export function samplesOf(
  delta: ReadingDelta,
  canary: VersionName,
  baseline: VersionName | null | undefined,
): { canary: Sample; baseline: Sample } {
  return {
    canary: sampleOf(delta.versions[canary]),
    baseline: sampleOf(baseline == null ? undefined : delta.versions[baseline]),
  };
}

/** The versions a watch asks a region's metrics for. */
export function versionsOf(spec: WatchRequest, region: string): readonly VersionName[] {
  const baseline = spec.baselines[region];
  return baseline == null || baseline === spec.version ? [spec.version] : [spec.version, baseline];
}

function sampleOf(reading: VersionReading | undefined): Sample {
  const hosts = Object.entries(reading?.hosts ?? {});
  const reached = hosts.filter(([, host]) => host.unreached === undefined);
  const { le, counts } = mergeHistograms(hosts.map(([, host]) => host.latency));
  return {
    requests: hosts.reduce((sum, [, host]) => sum + host.requests, 0),
    errors: hosts.reduce((sum, [, host]) => sum + host.errors, 0),
    latency: { le: le.map(storable), counts },
    hosts: Object.fromEntries(reached.map(([name, { requests, errors }]) => [name, { requests, errors }])),
  };
}

/** JSON has no infinity; no request takes this long. */
function storable(bound: number): number {
  return Number.isFinite(bound) ? bound : Number.MAX_VALUE;
}
