import type { artifactTopic, EventOf } from "@slipway/contracts";
import { expect, test } from "vitest";
import type { DeploymentEvent } from "./about-deployments.ts";
import { settledByArtifact, settledByDeployment } from "./settling.ts";

const deployment = (type: string, data: object) =>
  settledByDeployment({ type: `deployment.${type}`, data: { deployment_id: "D-7", ...data } } as DeploymentEvent);
const artifact = (type: string, data: object) =>
  settledByArtifact({ type: `artifact.${type}`, data: { promotion_id: "P-1", ...data } } as EventOf<
    typeof artifactTopic
  >);

test.each([
  ["approved", { by: "ada", reason: "" }, ["approval"], "approved by ada"],
  ["resumed", { by: "ada" }, ["resume"], "resumed by ada"],
  ["step_started", { weight_percent: 25 }, ["approval", "resume"], "it went on to 25%"],
  ["succeeded", {}, ["approval", "resume"], "it serves 100%"],
  ["restoring", { by: "ada", reason: "I saw it" }, ["approval", "resume"], "taken back by ada: I saw it"],
  ["cancelled", { reason: "given up" }, ["approval", "resume"], "it has ended: given up"],
])("a deployment that is %s settles what waited for that: %j", (type, data, waits, how) => {
  expect(deployment(type, data)).toEqual({ about: "D-7", waits, how });
});

test("a deployment that is asked for, or held, settles nothing", () => {
  expect(deployment("approval_requested", { reason: "x" })).toBeUndefined();
  expect(deployment("held", { reason: "x" })).toBeUndefined();
});

test("a promotion is settled by who approved it, or by why it was rejected", () => {
  expect(artifact("promoted", { approved_by: ["ada", "bob"] })?.how).toBe("approved by ada and bob");
  expect(artifact("rejected", { reason: "not tested" })).toMatchObject({ about: "P-1", how: "rejected: not tested" });
  expect(artifact("promotion_requested", {})).toBeUndefined();
});
