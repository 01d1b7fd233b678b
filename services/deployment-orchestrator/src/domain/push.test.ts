import type { DeploymentId, Digest, EnvironmentName, GitSha, Instant, ServiceName } from "@slipway/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decidePush, newPush, type Push, type PushFact } from "./push.ts";

const about = {
  service: "shop" as ServiceName,
  gitSha: "a".repeat(40) as GitSha,
  digest: `sha256:${"b".repeat(64)}` as Digest,
  environment: "dev" as EnvironmentName,
  by: "deployer",
  since: "2026-01-01T00:00:00.000Z" as Instant,
};

const facts: Record<PushFact["type"], PushFact> = {
  Accepted: { type: "Accepted", deployment: "D-7" as DeploymentId },
  Refused: { type: "Refused", reason: "no", remedy: null },
  Overtaken: { type: "Overtaken", newer: "B-9" },
  DeadlinePassed: { type: "DeadlinePassed" },
};
const ends: Record<PushFact["type"], Push["phase"]> = {
  Accepted: "deployed",
  Refused: "refused",
  Overtaken: "superseded",
  DeadlinePassed: "given_up",
};

test("a push asks for its deployment at once and is given up after ten minutes", () => {
  expect(newPush(about)).toMatchObject({
    state: { phase: "pending", deadline: "2026-01-01T00:10:00.000Z" },
    commands: [{ type: "Deploy" }, { type: "GiveUp", at: "2026-01-01T00:10:00.000Z" }],
  });
});

test.each(Object.values(facts))("a pending push is ended by $type, and what it had still to do is void", (fact) => {
  expect(decidePush(newPush(about).state, fact)).toMatchObject({
    state: { ...about, phase: ends[fact.type] },
    commands: [],
    supersedes: true,
  });
});

test("whatever comes in whatever order, the first fact decides and nothing changes it", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...Object.values(facts)), { minLength: 1, maxLength: 8 }), (sequence) => {
      let state = newPush(about).state;
      for (const fact of sequence) state = decidePush(state, fact).state;

      expect(state.phase).toBe(ends[sequence[0]?.type ?? "DeadlinePassed"]);
    }),
  );
});
