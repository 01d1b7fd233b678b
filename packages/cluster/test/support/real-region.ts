import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { RegionName } from "@slipway/kernel";
import { type RealRegion, type RegionParts, startRegion, until } from "@slipway/testkit";
import { type Connection, connect } from "../../src/connection.ts";
import type { RegionCluster } from "../../src/port.ts";
import { regionOver } from "../../src/region.ts";
import { silent } from "./silent.ts";

/** What a region needs of Slipway, as somebody who installs it applies it. */
export const manifests = join(import.meta.dirname, "../../../../deploy/regions");
export const manifestFiles = readdirSync(manifests).filter((file) => file.endsWith(".yaml"));

export const accounts = {
  orchestrator: { namespace: "slipway-system", name: "orchestrator" },
  rollbackController: { namespace: "slipway-system", name: "rollback-controller" },
} as const;

export const region = "us-east-1" as RegionName;

/** A region on which `kubectl apply -f deploy/regions` was run. */
export async function installedRegion(parts: RegionParts): Promise<RealRegion> {
  const real = await startRegion(parts);
  await real.kubectl(["apply", "-f", manifests]);
  await untilEnforced(real);
  return real;
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

/** The adapter's own connection, as one of Slipway's accounts with a token of an hour. */
export async function connectAs(real: RealRegion, account: keyof typeof accounts): Promise<Connection> {
  const kubeconfig = await real.kubeconfigWith(await real.tokenOf(accounts[account]));
  return connect({ region, kubeconfig, context: real.context, timeoutMs: 10_000 });
}

export const asAdmin = ({ kubeconfig, context }: RealRegion): Promise<Connection> =>
  connect({ region, kubeconfig, context, timeoutMs: 10_000 });

export const regionOf = (connection: Connection): RegionCluster =>
  regionOver(connection, { name: region, log: silent, requestTimeoutMs: 10_000, lowerDeadlineMs: 10_000 });
