import type { HostReading, ReadRequest, VersionReading } from "./types.ts";

type Seen = {
  readonly reading: HostReading;
  readonly at: number;
  /** Since when what comes has been less than what is kept. */
  readonly lessSince?: number | undefined;
};

/** A host that has not been seen for so long is gone for good. */
const forgottenAfterS = 3_600;

/**
 * Keeps the last reading of each host in the place of one that is missing, or is older. A host of which a scrape failed would else be gone from one
 * reading and be back in the next, where all that it ever counted would pass for new; and so it would where two of Prometheus answer by turns behind one
 * address, each of which scrapes at moments of its own. Counters that really began anew stay below what is kept for longer than `believedAfterS`, which no
 * sample is old that a reading may be made of; those whose epoch says it are believed at once.
 */
export function carriedHosts(believedAfterS: number) {
  const services = new Map<string, Map<string, Seen>>();
  return {
    /** The versions of one reading, taken at this second, with what is missing filled in. */
    fill(
      { environment, service }: ReadRequest,
      versions: Readonly<Record<string, VersionReading>>,
      at: number,
    ): Record<string, VersionReading> {
      const key = `${environment}/${service}`;
      const seen = services.get(key) ?? new Map<string, Seen>();
      services.set(key, seen);
      for (const [version, { hosts }] of Object.entries(versions)) {
        for (const [host, reading] of Object.entries(hosts)) {
          const name = `${version} ${host}`;
          seen.set(name, newerOf(seen.get(name), { reading, at }, believedAfterS));
        }
      }
      for (const [name, { at: last }] of seen) if (at - last > forgottenAfterS) seen.delete(name);
      return Object.fromEntries(
        Object.keys(versions).map((version) => {
          const hosts = [...seen]
            .filter(([name]) => name.startsWith(`${version} `))
            .map(([name, { reading }]) => [name.slice(version.length + 1), reading]);
          return [version, { hosts: Object.fromEntries(hosts) as Record<string, HostReading> }];
        }),
      );
    },
  };
}

function newerOf(kept: Seen | undefined, come: Seen, believedAfterS: number): Seen {
  if (kept === undefined || !isLess(come.reading, kept.reading)) return come;
  const lessSince = kept.lessSince ?? come.at;
  return come.at - lessSince > believedAfterS ? come : { ...kept, at: come.at, lessSince };
}

function isLess(come: HostReading, kept: HostReading): boolean {
  if (come.epoch !== undefined) return false;
  const observed = ({ latency }: HostReading) => latency.counts.at(-1) ?? 0;
  return come.requests < kept.requests || come.errors < kept.errors || observed(come) < observed(kept);
}
