import {
  addMs,
  type BuildId,
  type Digest,
  type GitSha,
  type Instant,
  instant,
  type ServiceName,
} from "@slipway/kernel";
import { inputsOf, leavesOf, type PlannedStep, planProblems } from "@slipway/pipeline";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decide, queueBuild, terminalPhases } from "./decide.ts";
import type { BuildCommand, BuildInput, BuildState } from "./state.ts";

const t0 = instant("2026-11-20T10:00:00Z");
const digest = `sha256:${"cd".repeat(32)}` as Digest;
const names = ["a", "b", "c", "d", "e"];

/** A pipeline without cycles: each step needs some of those before it. */
const plans: fc.Arbitrary<PlannedStep[]> = fc
  .tuple(
    fc.integer({ min: 0, max: names.length }),
    fc.array(fc.array(fc.nat(4), { maxLength: 3 }), { minLength: 5, maxLength: 5 }),
  )
  .map(([count, needs]) =>
    names.slice(0, count).map((name, index) => ({
      name,
      needs: [...new Set((needs[index] ?? []).filter((need) => need < index).map((need) => names[need] ?? ""))],
    })),
  );

function inputs(plan: PlannedStep[]): fc.Arbitrary<(at: Instant) => BuildInput> {
  const outcome = fc.constantFrom("succeeded", "succeeded", "succeeded", "failed", "timed_out", "cancelled" as const);
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant((at: Instant): BuildInput => ({ type: "begun", isolation: "x", at })) },
    {
      weight: 3,
      arbitrary: fc.constant((at: Instant): BuildInput => ({ type: "checked_out", committedAt: t0, plan, at })),
    },
    {
      weight: 12,
      arbitrary: fc.tuple(fc.constantFrom(...names), outcome).map(
        ([step, how]) =>
          (at: Instant): BuildInput => ({
            type: "step_finished",
            step,
            outcome: how as "failed",
            exitCode: null,
            reason: null,
            at,
          }),
      ),
    },
    { weight: 3, arbitrary: fc.constant((at: Instant): BuildInput => ({ type: "imaged", digest, at })) },
    { weight: 3, arbitrary: fc.constant((at: Instant): BuildInput => ({ type: "registered", at })) },
    fc.constant((at: Instant): BuildInput => ({ type: "workspace_lost", at })),
    fc.constant((at: Instant): BuildInput => ({ type: "cancel", by: "x", reason: "x", at })),
    fc.constant((at: Instant): BuildInput => ({ type: "deadline_passed", at })),
    fc.constant((at: Instant): BuildInput => ({ type: "image_failed", reason: "x", at })),
  );
}

const runs = plans.chain((plan) => fc.tuple(fc.constant(plan), fc.array(inputs(plan), { maxLength: 40 })));

type Turn = { before: BuildState; after: BuildState; commands: readonly BuildCommand[]; input: BuildInput };

/** Plays inputs in any order, with repeats; refusals leave everything as it is. */
function play(made: readonly ((at: Instant) => BuildInput)[]): Turn[] {
  const about = {
    buildId: "B-1" as BuildId,
    service: "orders" as ServiceName,
    gitSha: "3f2a91c0b7f1e6a1d2c3b4a5968778695a4b3c2d" as GitSha,
    ref: "refs/heads/main",
    author: "x",
    queuedAt: t0,
  };
  let state = queueBuild(about, t0).state;
  const turns: Turn[] = [];
  for (const [index, make] of made.entries()) {
    const input = make(addMs(t0, index * 1_000));
    const decision = decide(state, input);
    if (decision.kind === "refusal") continue;
    turns.push({ before: state, after: decision.state, commands: decision.commands, input });
    state = decision.state;
  }
  return turns;
}

const isTerminal = (state: BuildState): boolean => (terminalPhases as readonly string[]).includes(state.phase);
const runsOf = (commands: readonly BuildCommand[]): string[] =>
  commands.flatMap((command) => (command.type === "run_step" ? [command.step] : []));

test("a build that has ended never changes and commands nothing", () => {
  fc.assert(
    fc.property(runs, ([, made]) => {
      for (const turn of play(made)) {
        if (!isTerminal(turn.before)) continue;
        expect(turn.after).toBe(turn.before);
        expect(turn.commands).toEqual([]);
      }
    }),
  );
});

test("a step starts once per checkout, only after all it needs has succeeded, and never after a failure", () => {
  fc.assert(
    fc.property(runs, ([plan, made]) => {
      let started: string[] = [];
      for (const { after, commands } of play(made)) {
        if (after.phase === "checking_out") started = [];
        for (const name of runsOf(commands)) {
          expect(started).not.toContain(name);
          started.push(name);
          expectMayRun(plan, name, after);
        }
      }
    }),
  );
});

function expectMayRun(plan: PlannedStep[], name: string, state: BuildState): void {
  const steps = "steps" in state && state.steps !== undefined ? state.steps : {};
  const needs = plan.find((step) => step.name === name)?.needs ?? [];
  expect(needs.map((need) => steps[need]?.state)).toEqual(needs.map(() => "succeeded"));
  expect(Object.values(steps).map((step) => step.state)).not.toContain("failed");
}

test("an image is written only when every step has succeeded", () => {
  fc.assert(
    fc.property(runs, ([, made]) => {
      for (const { after, commands } of play(made)) {
        if (!commands.some((command) => command.type === "write_image")) continue;
        const steps = "steps" in after && after.steps !== undefined ? Object.values(after.steps) : [];
        expect(steps.every((step) => step.state === "succeeded")).toBe(true);
      }
    }),
  );
});

test("a running build always has something under way that will move it", () => {
  fc.assert(
    fc.property(runs, ([, made]) => {
      for (const { after } of play(made)) {
        if (after.phase !== "running") continue;
        expect(Object.values(after.steps).some((step) => step.state === "running")).toBe(true);
      }
    }),
  );
});

test("exactly one event tells of an end, and the workspaces are removed with it", () => {
  fc.assert(
    fc.property(runs, ([, made]) => {
      const commands = play(made).flatMap((turn) => turn.commands);
      const ends = commands.filter(
        (command) => command.type === "publish" && ["succeeded", "failed", "cancelled"].includes(command.event.type),
      );
      const cleanUps = commands.filter((command) => command.type === "clean_up");
      expect(ends.length).toBeLessThanOrEqual(1);
      expect(cleanUps.length).toBe(ends.length);
    }),
  );
});

test("a build that has ended has no step that waits or runs", () => {
  fc.assert(
    fc.property(runs, ([, made]) => {
      const last = play(made).at(-1)?.after;
      if (last === undefined || !isTerminal(last) || !("steps" in last) || last.steps === undefined) return;
      const states = Object.values(last.steps).map((step) => step.state);
      expect(states).not.toContain("waiting");
      expect(states).not.toContain("running");
    }),
  );
});

test("every pipeline without cycles can be finished, and what a step is given respects its needs", () => {
  fc.assert(
    fc.property(plans, (plan) => {
      expect(planProblems(plan)).toEqual([]);
      for (const { name } of plan) {
        const inputsInOrder = inputsOf(plan, name);
        expect(inputsInOrder).not.toContain(name);
        for (const input of inputsInOrder) {
          const earlier = inputsInOrder.slice(0, inputsInOrder.indexOf(input));
          for (const need of plan.find((step) => step.name === input)?.needs ?? []) expect(earlier).toContain(need);
        }
      }
    }),
  );
});

test("the image is made from what steps need, not from what tests leave behind", () => {
  const pipeline: PlannedStep[] = [
    { name: "compile", needs: [] },
    { name: "bundle", needs: ["compile"] },
    { name: "unit", needs: ["bundle"] },
    { name: "lint", needs: [] },
  ];

  expect(inputsOf(pipeline)).toEqual(["compile", "bundle"]);
  expect(leavesOf(pipeline)).toEqual(["unit", "lint"]);
  expect(inputsOf(pipeline.map((step) => ({ ...step, needs: [] })))).toEqual(["compile", "bundle", "unit", "lint"]);
});

test.each([
  [[{ name: "a", needs: ["a"] }], "steps wait for each other: a -> a"],
  [
    [
      { name: "a", needs: ["c"] },
      { name: "b", needs: ["a"] },
      { name: "c", needs: ["b"] },
    ],
    "steps wait for each other: a -> c -> b -> a",
  ],
  [[{ name: "a", needs: ["x"] }], 'step "a" needs "x", which does not exist'],
])("a pipeline that cannot run is told why", (plan, message) => {
  expect(planProblems(plan)).toMatchObject([{ message }]);
});
