import type { RegionName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { sampleDeployment } from "../test/support/sample.ts";
import type { Deployment } from "./domain/deployment.ts";
import { deploymentView } from "./domain/view.ts";
import type { Service } from "./service.ts";
import { withUnreadyPods } from "./unready-pods.ts";

const never = new Promise<never>(() => {});

async function viewed(state: Deployment, readWorkload: (region: string) => Promise<unknown>) {
  const service = {
    regions: { cluster: async (region: string) => ({ readWorkload: () => readWorkload(region) }) },
    secrets: { everyValue: async () => ["hunter22"] },
  } as unknown as Service;
  return withUnreadyPods(service, state, deploymentView(state, state.plan.createdAt));
}

/** The pods' reasons that a view has, by region. */
async function told(state: Deployment, readWorkload: (region: string) => Promise<unknown>) {
  const { regions } = await viewed(state, readWorkload);
  return Object.fromEntries(
    Object.entries(regions).flatMap(([name, { pods }]) => (pods === undefined ? [] : [[name, pods]])),
  );
}

const reasons = ["orders-1: ErrImagePull, no such image, hunter22"];
const sample = sampleDeployment({ regions: ["a", "b"] as readonly string[] as readonly RegionName[] });
const since = sample.plan.createdAt;
const preparing = (ready: readonly string[]) =>
  ({ ...sample, phase: "preparing", since, ready, relock: "granted" }) as unknown as Deployment;

test("while pods are awaited each that is not ready says why, without its secrets, and only where they are awaited", async () => {
  expect(await told(preparing(["a"]), async () => ({ reasons }))).toEqual({
    b: ["orders-1: ErrImagePull, no such image, ***"],
  });
});

test("what a region refuses to make is told in what is waited for, with who can mend it and without its secrets", async () => {
  const refused = 'FailedCreate: pods "orders-1" is forbidden: exceeded quota: few, hunter22';

  const { waiting, regions } = await viewed(preparing(["a"]), async () => ({ reasons: [refused], refused }));

  expect(waiting).toMatchObject({
    for: 'ready pods in b: b refuses them, FailedCreate: pods "orders-1" is forbidden: exceeded quota: few, ***',
    unblockedBy: expect.stringContaining("quota, policy or webhook"),
  });
  expect(regions.b?.pods).toEqual(['FailedCreate: pods "orders-1" is forbidden: exceeded quota: few, ***']);
});

test("a region that fails or does not answer in a second holds nothing up and says nothing", async () => {
  expect(await told(preparing([]), (region) => (region === "a" ? never : Promise.reject(new Error("503"))))).toEqual(
    {},
  );
});

test("a deployment that waits for something else asks no region", async () => {
  const asked = async () => Promise.reject(new Error("it was asked"));

  expect(await told(sampleDeployment(), asked)).toEqual({});
});
