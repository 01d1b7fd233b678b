import type { RegionName } from "@slipway/kernel";
import { type RealRegion, regionAccounts } from "@slipway/testkit";
import { type Connection, connect } from "../../src/connection.ts";
import type { RegionCluster } from "../../src/port.ts";
import { regionOver } from "../../src/region.ts";
import { silent } from "./silent.ts";

export const region = "us-east-1" as RegionName;

type Access = { readonly timeoutMs?: number /** Of a proxy that stands before it. */; readonly port?: number };

/** The adapter's own connection, as one of Slipway's accounts with a token of an hour. */
export async function connectAs(
  real: RealRegion,
  account: keyof typeof regionAccounts,
  { timeoutMs = 10_000, port }: Access = {},
): Promise<Connection> {
  const kubeconfig = await real.kubeconfigWith(await real.tokenOf(regionAccounts[account]), port);
  return connect({ region, kubeconfig, context: real.context, timeoutMs });
}

export const asAdmin = ({ kubeconfig, context }: RealRegion): Promise<Connection> =>
  connect({ region, kubeconfig, context, timeoutMs: 10_000 });

export const regionOf = (connection: Connection): RegionCluster =>
  regionOver(connection, { name: region, log: silent, requestTimeoutMs: 10_000, lowerDeadlineMs: 10_000 });
