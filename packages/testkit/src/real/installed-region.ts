import { readdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../until.ts";
import { type RealRegion, type RegionParts, startRegion } from "./kubernetes.ts";

/** What a region needs of Slipway, as somebody who installs it applies it. */
export const regionManifests = join(import.meta.dirname, "../../../../deploy/regions");
export const regionManifestFiles = readdirSync(regionManifests).filter((file) => file.endsWith(".yaml"));

/** Slipway's accounts in a region. */
export const regionAccounts = {
  orchestrator: { namespace: "slipway-system", name: "orchestrator" },
  rollbackController: { namespace: "slipway-system", name: "rollback-controller" },
} as const;

/** A region on which `kubectl apply -f deploy/regions` was run. */
export async function installedRegion(parts: RegionParts): Promise<RealRegion> {
  const real = await startRegion(parts);
  try {
    await real.kubectl(["apply", "-f", regionManifests]);
    await untilEnforced(real);
    return real;
  } catch (error) {
    await real.stop();
    throw error;
  }
}

/** A policy takes hold some moments after it was written: until a fence may not go back any more. */
async function untilEnforced({ api }: RealRegion): Promise<void> {
  const path = "/apis/networking.istio.io/v1/namespaces/default/virtualservices";
  const spec = { hosts: ["probe"], http: [{ name: "slipway", route: [{ destination: { host: "probe" } }] }] };
  const metadata = { name: "probe", annotations: { "slipway.dev/fence": "9/9/open/D-9" } };
  await api("POST", path, { apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata, spec });
  const back = { metadata: { annotations: { "slipway.dev/fence": "9/8/open/D-9", at: "" } } };
  const refused = () =>
    api("PATCH", `${path}/probe?dryRun=All`, back, "application/merge-patch+json").then(
      () => false,
      () => true,
    );
  await until(refused, { what: "the policies hold", timeoutMs: 60_000 });
  await api("DELETE", `${path}/probe`);
}
