import { afterAll, beforeAll } from "vitest";
import { driftContract } from "./cluster-drift.contract.ts";
import { loweringContract } from "./cluster-lowering.contract.ts";
import { refusedContract } from "./cluster-refused.contract.ts";
import { type ClusterWorld, clusterStage } from "./cluster-stage.ts";
import { trafficContract } from "./cluster-traffic.contract.ts";
import { workloadContract } from "./cluster-workload.contract.ts";

/** What one region must do, whatever answers behind its Kubernetes API. Each test has an environment of its own. */
export function clusterContract(start: () => Promise<ClusterWorld>): void {
  let started: ClusterWorld;
  beforeAll(async () => {
    started = await start();
  });
  afterAll(async () => {
    await started.close();
  });

  const world = () => started;
  const stage = clusterStage(world);
  trafficContract(world, stage);
  loweringContract(world, stage);
  workloadContract(world, stage);
  refusedContract(world, stage);
  driftContract(world, stage);
}
