import { subtractHistogram } from "./histogram.ts";
import type { HostReading, Reading, ReadingDelta, VersionReading } from "./types.ts";

type HostDelta = { readonly counted: HostReading; readonly reset: boolean };

/**
 * What was counted after `before` and up to `after`; null as `before` = everything since the counters began. A source that
 * started anew, or one host whose counters began anew or went down, counts from zero: the requests between the last reading and the
 * restart are lost, never invented. A host that is gone from `after` adds nothing.
 */
export function diffReadings(before: Reading | null, after: Reading): ReadingDelta {
  const restarted = before !== null && before.processEpoch !== after.processEpoch;
  const base = restarted ? null : before;
  let reset = restarted;
  const versions: Record<string, VersionReading> = {};
  for (const [version, { hosts }] of Object.entries(after.versions)) {
    const counted: Record<string, HostReading> = {};
    for (const [host, now] of Object.entries(hosts)) {
      const delta = diffHost(base?.versions[version]?.hosts[host], now);
      counted[host] = delta.counted;
      reset ||= delta.reset;
    }
    versions[version] = { hosts: counted };
  }
  return { versions, reset };
}

function diffHost(before: HostReading | undefined, after: HostReading): HostDelta {
  if (before === undefined) return { counted: after, reset: false };
  const unreached = after.unreached === undefined ? {} : { unreached: after.unreached };
  const requests = after.requests - before.requests;
  const errors = after.errors - before.errors;
  // A host's first requests may have come before its first latency: then there was nothing to subtract.
  const anew = before.epoch !== undefined && after.epoch !== undefined && before.epoch !== after.epoch;
  const nothingBefore = (before.latency.counts.at(-1) ?? 0) === 0;
  const latency = nothingBefore ? after.latency : subtractHistogram(after.latency, before.latency);
  if (anew || requests < 0 || errors < 0 || latency === undefined) return { counted: after, reset: true };
  return { counted: { requests, errors, latency, ...unreached }, reset: false };
}
