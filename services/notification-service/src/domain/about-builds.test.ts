import type { artifactTopic, buildTopic, EventOf } from "@slipway/contracts";
import { expect, test } from "vitest";
import { aboutArtifact, aboutBuild } from "./about-builds.ts";

const git_sha = "3f2a91c".padEnd(40, "0");

function build(type: string, data: object) {
  return aboutBuild({ type, data: { build_id: "B-3", service: "orders", git_sha, ...data } } as EventOf<
    typeof buildTopic
  >);
}

function artifact(type: string, data: object) {
  const about = { promotion_id: "P-1", service: "orders", git_sha, from: "staging", to: "prod", requested_by: "bob" };
  return aboutArtifact(
    { type, data: { ...about, ...data } } as EventOf<typeof artifactTopic>,
    "http://127.0.0.1:7400/inbox",
  );
}

test("a failed build says which step failed and where its log is", () => {
  expect(build("build.failed", { reason: "step unit: exit code 1", step: "unit", ms: 61_000 })).toEqual({
    severity: "problem",
    about: "B-3",
    title: "Build failed: orders at 3f2a91c (B-3)",
    text: "Step unit: exit code 1",
    facts: [
      { name: "Commit", value: "3f2a91c00000" },
      { name: "After", value: "1 min 1 s" },
      { name: "Log", value: "slipway logs B-3" },
    ],
  });
  expect(build("build.failed", { reason: "no slipway.yaml", step: null, ms: 5 })?.text).toBe("no slipway.yaml");
  expect(build("build.succeeded", {})).toBeUndefined();
});

test("a promotion is told where somebody must approve it, and where it was rejected", () => {
  expect(artifact("artifact.promotion_requested", { approvals_needed: 0 })).toBeUndefined();
  expect(artifact("artifact.promotion_requested", { approvals_needed: 1 })).toMatchObject({
    severity: "attention",
    title: "Approval needed: orders from staging to prod (P-1)",
    text: "bob asks to promote 3f2a91c. It is shown at http://127.0.0.1:7400/inbox. It takes one approval by somebody else: slipway promotions approve P-1 --as approver",
    waits: "approval",
  });
  expect(artifact("artifact.rejected", { reason: "not tested" })).toMatchObject({
    text: "3f2a91c, asked for by bob: not tested",
  });
});
