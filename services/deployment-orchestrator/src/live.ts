import type { Digest, ServiceName, VersionName } from "@slipway/kernel";
import type { Service } from "./service.ts";
import { listDeployments } from "./store.ts";

type Live = Record<string, Record<string, { version: VersionName; digest: Digest; verified: boolean }>>;

/** Per environment and region: the newest version that came to 100% and was not replaced. */
export async function liveVersions(service: Service, name: ServiceName): Promise<Live> {
  const live: Live = {};
  for (const { state } of await listDeployments(service.db, { service: name, phases: ["watching", "verified"] }, 200)) {
    const { environment, regions, version, digest } = state.plan;
    const here = live[environment] ?? {};
    for (const region of regions) here[region] ??= { version, digest, verified: state.phase === "verified" };
    live[environment] = here;
  }
  return live;
}
