import type { HostReading, ReadRequest, VersionReading } from "./types.ts";

type Seen = { readonly reading: HostReading; readonly at: number };

/** A host that has not been seen for so long is gone for good. */
const forgottenAfterS = 3_600;

/**
 * Keeps the last reading of each host in the place of one that is missing. A host of which a scrape failed would else be gone from one reading and
 * be back in the next, where all that it ever counted would pass for new.
 */
export function carriedHosts() {
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
        for (const [host, reading] of Object.entries(hosts)) seen.set(`${version} ${host}`, { reading, at });
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
