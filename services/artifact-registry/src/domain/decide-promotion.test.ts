import type { Digest, EnvironmentName, GitSha, Instant, PromotionId, ServiceName } from "@slipway/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { artifactMachine, openArtifact } from "./artifact.ts";
import { openPromotion, promotionMachine } from "./decide-promotion.ts";
import type { Promotion, PromotionInput, PromotionRequest } from "./promotion.ts";

const now = "2026-11-23T10:00:00.000Z" as Instant;
const later = "2026-11-23T10:05:00.000Z" as Instant;

function request(approvalsNeeded: number): PromotionRequest {
  return {
    id: "P-1" as PromotionId,
    digest: `sha256:${"a".repeat(64)}` as Digest,
    service: "orders" as ServiceName,
    gitSha: "b".repeat(40) as GitSha,
    from: "staging" as EnvironmentName,
    to: "prod" as EnvironmentName,
    requestedBy: "dana",
    requestedAt: now,
    approvalsNeeded,
  };
}

const approve = (by: string): PromotionInput => ({ type: "Approve", by, reason: null, now: later });
const markedBad: PromotionInput = {
  type: "MarkedBad",
  environment: "staging" as EnvironmentName,
  reason: "500s",
  now: later,
};

const pending = openPromotion(request(1)).state;
const promoted = applied(pending, approve("alex"));
const rejected = applied(pending, markedBad);

function applied(state: Promotion, input: PromotionInput): Promotion {
  const answer = promotionMachine.decide(state, input);
  if (answer.kind === "refusal") throw new Error(answer.code);
  return answer.state;
}

/** Applies inputs in order and counts how often the promotion was granted. A decided one has to stay as it is. */
function play(first: Promotion, sequence: readonly PromotionInput[]): { state: Promotion; granted: number } {
  let state = first;
  let granted = 0;
  for (const input of sequence) {
    const answer = promotionMachine.decide(state, input);
    if (answer.kind === "refusal") continue;
    if (state.phase !== "pending") expect(answer.state).toEqual(state);
    granted += answer.commands.filter((command) => command.event.type === "artifact.promoted").length;
    state = answer.state;
  }
  return { state, granted };
}

type Expected = Promotion["phase"] | { readonly refused: string };
type Case = "Approve by another" | "Approve by the requester" | "Approve again" | "MarkedBad";

const inputs: Record<Case, PromotionInput> = {
  "Approve by another": approve("kim"),
  "Approve by the requester": approve("dana"),
  "Approve again": approve("alex"),
  MarkedBad: markedBad,
};

/** The transition table of STATES.md: every phase meets every input. */
const table: Record<Promotion["phase"], Record<Case, Expected>> = {
  pending: {
    "Approve by another": "promoted",
    "Approve by the requester": { refused: "promotion.self_approval" },
    "Approve again": "promoted",
    MarkedBad: "rejected",
  },
  promoted: {
    "Approve by another": { refused: "promotion.closed" },
    "Approve by the requester": { refused: "promotion.closed" },
    "Approve again": "promoted",
    MarkedBad: "promoted",
  },
  rejected: {
    "Approve by another": { refused: "promotion.closed" },
    "Approve by the requester": { refused: "promotion.closed" },
    "Approve again": { refused: "promotion.closed" },
    MarkedBad: "rejected",
  },
};

describe("the table of promotions", () => {
  const states = { pending, promoted, rejected };
  const rows = Object.entries(table).flatMap(([phase, row]) =>
    Object.entries(row).map(([input, expected]) => ({ phase, input, expected })),
  );

  test.each(rows)("$phase meets $input", ({ phase, input, expected }) => {
    const answer = promotionMachine.decide(states[phase as Promotion["phase"]], inputs[input as Case]);

    if (typeof expected === "string") expect(answer).toMatchObject({ kind: "step", state: { phase: expected } });
    else expect(answer).toMatchObject({ kind: "refusal", code: expected.refused });
  });
});

describe("a promotion", () => {
  test("that needs nobody is born promoted and says both", () => {
    const opened = openPromotion(request(0));

    expect(opened.state).toMatchObject({ phase: "promoted", approvals: [], decidedAt: now });
    expect(opened.commands.map((command) => command.event.type)).toEqual([
      "artifact.promotion_requested",
      "artifact.promoted",
    ]);
  });

  test("says that it was promoted with the names of who approved", () => {
    const answer = promotionMachine.decide(pending, approve("alex"));

    expect(answer).toMatchObject({
      commands: [{ type: "Publish", at: later, event: { type: "artifact.promoted", data: { approved_by: ["alex"] } } }],
    });
  });

  test("whatever happens, is granted only by enough people of whom none asked for it, and never again undecided", () => {
    const people = fc.constantFrom("dana", "alex", "kim", "sam");
    const input: fc.Arbitrary<PromotionInput> = fc.oneof(
      { weight: 5, arbitrary: people.map(approve) },
      { weight: 1, arbitrary: fc.constant(markedBad) },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(input, { maxLength: 12 }), (needed, sequence) => {
        const { state, granted } = play(openPromotion(request(needed)).state, sequence);
        const by = state.approvals.map((approval) => approval.by);
        expect(new Set(by).size).toBe(by.length);
        expect(by).not.toContain("dana");
        expect(granted).toBe(state.phase === "promoted" ? 1 : 0);
        if (state.phase === "promoted") expect(by.length).toBe(needed);
      }),
    );
  });
});

test("an artifact says once for each environment that it is bad there", () => {
  const { digest, service, gitSha } = request(0);
  const opened = openArtifact({ digest, service, gitSha }, "build-service", now);
  const bad = { type: "MarkBad", environment: "prod" as EnvironmentName, reason: "500s", now: later } as const;

  const first = artifactMachine.decide(opened.state, bad);
  if (first.kind === "refusal") throw new Error(first.code);
  const second = artifactMachine.decide(first.state, bad);

  expect(opened.commands.map((command) => command.event.type)).toEqual(["artifact.registered"]);
  expect(first.commands.map((command) => command.event.type)).toEqual(["artifact.marked_bad"]);
  expect(second).toMatchObject({ kind: "step", commands: [] });
});
