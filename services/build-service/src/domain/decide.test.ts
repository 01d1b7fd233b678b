import type { BuildId, Digest, GitSha, Instant, ServiceName } from "@slipway/kernel";
import { addMs, instant } from "@slipway/kernel";
import type { PlannedStep } from "@slipway/pipeline";
import { describe, expect, test } from "vitest";
import { decide, queueBuild } from "./decide.ts";
import type { BuildCommand, BuildInput, BuildState, Phase } from "./state.ts";

const t0 = instant("2026-11-20T10:00:00Z");
const at = (seconds: number): Instant => addMs(t0, seconds * 1_000);
const digest = `sha256:${"ab".repeat(32)}` as Digest;
const about = {
  buildId: "B-7" as BuildId,
  service: "orders" as ServiceName,
  gitSha: "3f2a91c0b7f1e6a1d2c3b4a5968778695a4b3c2d" as GitSha,
  ref: "refs/heads/main",
  author: "Ada",
  queuedAt: t0,
};
const plan: PlannedStep[] = [
  { name: "compile", needs: [] },
  { name: "unit", needs: ["compile"] },
  { name: "lint", needs: ["compile"] },
  { name: "report", needs: ["unit", "lint"] },
];

const begun: BuildInput = { type: "begun", isolation: "bubblewrap, limits: cgroup v1", at: at(1) };
const checkedOut: BuildInput = { type: "checked_out", committedAt: t0, plan, at: at(2) };
const imaged: BuildInput = { type: "imaged", digest, at: at(30) };
const cancel: BuildInput = { type: "cancel", by: "ada", reason: "not this one", at: at(40) };

function finished(step: string, outcome: "succeeded" | "failed" | "timed_out" = "succeeded", seconds = 10): BuildInput {
  const exitCode = outcome === "succeeded" ? 0 : 1;
  const reason = outcome === "succeeded" ? null : "exit code 1";
  return { type: "step_finished", step, outcome, exitCode, reason, at: at(seconds) };
}

/** Given inputs, when one more comes: the step of the last one. A refusal on the way fails the test. */
function after(...inputs: BuildInput[]): { state: BuildState; commands: readonly BuildCommand[]; supersedes: boolean } {
  const queued = queueBuild(about, t0);
  let last = { ...queued, supersedes: false };
  for (const input of inputs) {
    const step = decide(last.state, input);
    if (step.kind === "refusal") throw new Error(`${input.type} was refused: ${step.detail}`);
    last = { state: step.state, commands: [...step.commands], supersedes: step.supersedes === true };
  }
  return last;
}

const names = (commands: readonly BuildCommand[]): string[] =>
  commands.map((command) => {
    if (command.type === "publish") return `publish ${command.event.type}`;
    return command.type === "run_step" ? `run ${command.step}` : command.type;
  });

describe("a build that goes well", () => {
  test("is told of at once, asks for a place and has a deadline", () => {
    const { state, commands } = queueBuild(about, t0);

    expect(state).toMatchObject({ phase: "queued", deadline: at(3_600) });
    expect(names(commands)).toEqual(["publish queued", "begin", "give_up"]);
  });

  test("is checked out when it has a place", () => {
    const { state, commands } = after(begun);

    expect(state).toMatchObject({ phase: "checking_out", isolation: "bubblewrap, limits: cgroup v1", restarts: 0 });
    expect(names(commands)).toEqual(["publish started", "check_out"]);
  });

  test("runs first the steps that need none", () => {
    const { state, commands } = after(begun, checkedOut);

    expect(state).toMatchObject({
      phase: "running",
      steps: { compile: { state: "running" }, unit: { state: "waiting" } },
    });
    expect(names(commands)).toEqual(["run compile"]);
  });

  test("runs at once all steps whose needs have succeeded", () => {
    const { commands } = after(begun, checkedOut, finished("compile"));

    expect(names(commands)).toEqual(["publish step_finished", "run unit", "run lint"]);
  });

  test("runs a step only when the last of its needs has succeeded", () => {
    expect(names(after(begun, checkedOut, finished("compile"), finished("lint")).commands)).toEqual([
      "publish step_finished",
    ]);
    expect(names(after(begun, checkedOut, finished("compile"), finished("lint"), finished("unit")).commands)).toEqual([
      "publish step_finished",
      "run report",
    ]);
  });

  const done = ["compile", "unit", "lint", "report"].map((step) => finished(step));

  test("is imaged when every step has succeeded, then registered, then done", () => {
    expect(names(after(begun, checkedOut, ...done).commands)).toEqual(["publish step_finished", "write_image"]);
    expect(names(after(begun, checkedOut, ...done, imaged).commands)).toEqual(["register"]);
    const end = after(begun, checkedOut, ...done, imaged, { type: "registered", at: at(31) });
    expect(end.state).toMatchObject({ phase: "succeeded", digest, endedAt: at(31) });
    expect(names(end.commands)).toEqual(["publish succeeded", "clean_up"]);
    expect(end.commands[0]).toMatchObject({ event: { ms: 31_000 } });
  });

  test("keeps the images that its image stands on until it is registered, since provenance tells of them", () => {
    const { state } = after(begun, checkedOut, ...done, {
      type: "imaged",
      digest,
      bases: ["base:1@sha256:0"],
      at: at(30),
    });

    expect(state).toMatchObject({ phase: "registering", base: null, bases: ["base:1@sha256:0"] });
    expect(after(begun, checkedOut, ...done, imaged).state).not.toHaveProperty("bases");
  });

  test("without steps is imaged at once", () => {
    expect(names(after(begun, { ...checkedOut, plan: [] }).commands)).toEqual(["write_image"]);
  });
});

describe("a step that fails", () => {
  const failing = [begun, checkedOut, finished("compile"), finished("unit", "failed", 20)];

  test("starts nothing more, and lets what runs beside it finish", () => {
    const { state, commands } = after(...failing);

    expect(state).toMatchObject({ phase: "running", steps: { unit: { state: "failed" }, lint: { state: "running" } } });
    expect(names(commands)).toEqual(["publish step_finished"]);
  });

  test("ends the build when nothing runs any more, naming the step", () => {
    const { state, commands, supersedes } = after(...failing, finished("lint", "succeeded", 25));

    expect(state).toMatchObject({
      phase: "failed",
      failedStep: "unit",
      reason: "step unit: exit code 1",
      endedAt: at(25),
      steps: { lint: { state: "succeeded" }, report: { state: "skipped" } },
    });
    expect(names(commands)).toEqual(["publish step_finished", "publish failed", "clean_up"]);
    expect(supersedes).toBe(true);
  });

  test("that fails first in the file is the one that is named", () => {
    const { state } = after(
      begun,
      checkedOut,
      finished("compile"),
      finished("lint", "failed"),
      finished("unit", "timed_out"),
    );

    expect(state).toMatchObject({ failedStep: "unit" });
  });
});

describe("a cancel", () => {
  test("ends the running steps and voids what waits", () => {
    const { state, commands, supersedes } = after(begun, checkedOut, finished("compile"), cancel);

    expect(state).toMatchObject({
      phase: "cancelled",
      by: "ada",
      steps: { compile: { state: "succeeded" }, unit: { state: "cancelled" }, report: { state: "skipped" } },
    });
    expect(names(commands)).toEqual(["publish cancelled", "clean_up"]);
    expect(supersedes).toBe(true);
  });

  test("of a build that has ended is refused", () => {
    expect(decide(after(cancel).state, cancel)).toMatchObject({ kind: "refusal", code: "build.finished" });
  });
});

describe("a lost workspace", () => {
  const lost: BuildInput = { type: "workspace_lost", at: at(15) };

  test("begins again from the checkout and forgets the steps", () => {
    const { state, commands, supersedes } = after(begun, checkedOut, finished("compile"), lost);

    expect(state).toMatchObject({ phase: "checking_out", restarts: 1 });
    expect(state).not.toHaveProperty("steps");
    expect(names(commands)).toEqual(["check_out"]);
    expect(supersedes).toBe(true);
  });

  test("again and again ends the build", () => {
    const rounds = [lost, checkedOut, lost, checkedOut, lost, checkedOut, lost];

    expect(after(begun, checkedOut, ...rounds).state).toMatchObject({ phase: "failed" });
  });
});

/** What each input does to each phase: the phase after it, "same" = ignored, "refused". */
type Expected = Phase | "same" | "refused";
const toAll = (expected: Expected): Record<Phase, Expected> => ({
  queued: expected,
  checking_out: expected,
  running: expected,
  imaging: expected,
  registering: expected,
  succeeded: "same",
  failed: "same",
  cancelled: "same",
});
const ended = { succeeded: "refused", failed: "refused", cancelled: "refused" } as const;

const table: Record<BuildInput["type"], Record<Phase, Expected>> = {
  cancel: { ...toAll("cancelled"), registering: "refused", ...ended },
  begun: { ...toAll("same"), queued: "checking_out" },
  checked_out: { ...toAll("same"), checking_out: "running" },
  checkout_failed: { ...toAll("same"), checking_out: "failed" },
  step_finished: { ...toAll("same"), running: "running" },
  imaged: { ...toAll("same"), imaging: "registering" },
  image_failed: { ...toAll("same"), imaging: "failed" },
  registered: { ...toAll("same"), registering: "succeeded" },
  register_refused: { ...toAll("same"), registering: "failed" },
  workspace_lost: { ...toAll("same"), running: "checking_out", imaging: "checking_out" },
  deadline_passed: toAll("failed"),
};

describe("the transition table is total", () => {
  const all = ["compile", "unit", "lint", "report"].map((step) => finished(step));
  const states: Record<Phase, BuildState> = {
    queued: after().state,
    checking_out: after(begun).state,
    running: after(begun, checkedOut).state,
    imaging: after(begun, checkedOut, ...all).state,
    registering: after(begun, checkedOut, ...all, imaged).state,
    succeeded: after(begun, checkedOut, ...all, imaged, { type: "registered", at: at(31) }).state,
    failed: after(begun, { type: "checkout_failed", reason: "gone", at: at(2) }).state,
    cancelled: after(cancel).state,
  };
  const inputs: Record<BuildInput["type"], BuildInput> = {
    cancel,
    begun,
    checked_out: checkedOut,
    checkout_failed: { type: "checkout_failed", reason: "gone", at: at(2) },
    step_finished: finished("compile"),
    imaged,
    image_failed: { type: "image_failed", reason: "no dist", at: at(30) },
    registered: { type: "registered", at: at(31) },
    register_refused: { type: "register_refused", reason: "conflict", at: at(31) },
    workspace_lost: { type: "workspace_lost", at: at(15) },
    deadline_passed: { type: "deadline_passed", at: at(3_600) },
  };
  const cells = Object.entries(table).flatMap(([type, row]) =>
    Object.entries(row).map(([phase, expected]) => [type, phase, expected] as const),
  );

  test.each(cells)("%s while %s: %s", (type, phase, expected) => {
    const state = states[phase as Phase];

    const decision = decide(state, inputs[type as BuildInput["type"]]);

    expect(state.phase).toBe(phase);
    if (expected === "refused") expect(decision.kind).toBe("refusal");
    else if (expected === "same") expect(decision).toEqual({ kind: "step", state, commands: [] });
    else expect(decision).toMatchObject({ kind: "step", state: { phase: expected } });
  });
});
