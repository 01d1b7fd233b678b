import { type Judgement, noCounts } from "@slipway/contracts";
import type { RegionName } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import { id, sampleJudgement, sampleSpec, start } from "../../test/support/sample.ts";
import { compareEpochs, decide, shutCommands, type Watch, type WatchInput } from "./watch.ts";

type Phase = Watch["phase"];
type Type = WatchInput["type"];
/** The phase that follows and what is asked for; or the code of a refusal. */
type Expected = readonly [Phase, ...string[]] | `!${string}`;

const spec = sampleSpec();
const states: { readonly [P in Phase]: Extract<Watch, { phase: P }> } = {
  watching: { phase: "watching", id, spec, judgement: null },
  failed: { phase: "failed", id, spec, judgement: sampleJudgement("FAIL"), shut: {} },
  ended: { phase: "ended", id, spec, judgement: null, outcome: "verified" },
};
const inputs: { readonly [T in Type]: Extract<WatchInput, { type: T }> } = {
  Arm: { type: "Arm", spec: sampleSpec({ epochs: { a: 3, b: 3 } }) },
  Judged: { type: "Judged", judgement: sampleJudgement("PASS") },
  Failed: { type: "Failed", judgement: sampleJudgement("FAIL"), firstErrorAt: start },
  ShutConfirmed: { type: "ShutConfirmed", region: "a" as RegionName, epoch: 2, seq: 5, at: start },
  MetricsMissing: { type: "MetricsMissing", since: start, regions: ["a" as RegionName] },
  DeploymentEnded: { type: "DeploymentEnded", outcome: "rolled_back", totals: {}, judgement: null },
};

const table: Record<Phase, Record<Type, Expected>> = {
  watching: {
    Arm: ["watching", "watch.armed"],
    Judged: ["watching", "watch.judged"],
    Failed: ["failed", "Shut", "Shut", "watch.failed"],
    ShutConfirmed: ["watching"],
    MetricsMissing: ["watching", "watch.metrics_missing"],
    DeploymentEnded: ["ended", "watch.ended"],
  },
  failed: {
    Arm: ["watching", "watch.armed"],
    Judged: ["failed"],
    Failed: ["failed"],
    ShutConfirmed: ["failed", "watch.shut_confirmed"],
    MetricsMissing: ["failed", "watch.metrics_missing"],
    DeploymentEnded: ["ended", "watch.ended"],
  },
  ended: {
    Arm: "!watch.ended",
    Judged: ["ended"],
    Failed: ["ended"],
    ShutConfirmed: ["ended"],
    MetricsMissing: ["ended"],
    DeploymentEnded: ["ended"],
  },
};

describe.each(Object.keys(table) as Phase[])("a watch that is %s", (phase) => {
  test.each(Object.keys(table[phase]) as Type[])("answers %s as the table says", (type) => {
    const expected = table[phase][type];

    const answer = decide(states[phase], inputs[type]);

    if (typeof expected === "string") expect(answer).toMatchObject({ kind: "refusal", code: expected.slice(1) });
    else expect(outline(answer)).toEqual(expected);
  });
});

function outline(answer: ReturnType<typeof decide>): readonly string[] {
  if (answer.kind === "refusal") return [answer.code];
  const asked = answer.commands.map((command) => (command.type === "Publish" ? command.event.type : command.type));
  return [answer.state.phase, ...asked];
}

describe("arming", () => {
  test("under older epochs is refused, and under the same ones moves the step and keeps a FAIL", () => {
    const older = decide(states.watching, { type: "Arm", spec: sampleSpec({ epochs: { a: 2, b: 1 } }) });
    const moved = decide(states.watching, { type: "Arm", spec: sampleSpec({ step: 1 }) });
    const failed = decide(states.failed, { type: "Arm", spec: sampleSpec({ step: 1 }) });

    expect(older).toMatchObject({ code: "watch.stale_epoch" });
    expect(moved).toMatchObject({ state: { phase: "watching", spec: { step: 1 } }, commands: [] });
    expect(failed).toMatchObject({ state: { phase: "failed" } });
  });

  test("compares grants region by region: one older region makes the whole older", () => {
    expect(compareEpochs({ a: 1 }, { a: 1 })).toBe("same");
    expect(compareEpochs({ a: 2, b: 1 }, { a: 1, b: 1 })).toBe("newer");
    expect(compareEpochs({ a: 2, b: 1 }, { a: 1, b: 2 })).toBe("older");
    expect(compareEpochs({ a: 2 }, { a: 1, b: 1 })).toBe("older");
  });
});

describe("what it keeps at its end", () => {
  const ending = (judgement: Judgement | null) => ({ ...inputs.DeploymentEnded, judgement });
  const seen = { ...inputs.Judged.judgement, counts: { ...noCounts, canary_requests: 78, baseline_requests: 1_442 } };

  test("is on how much the last verdict stood, and what was told before where nobody looked since", () => {
    const told = { ...states.watching, judgement: inputs.Judged.judgement };

    expect(decide(told, ending(seen))).toMatchObject({ state: { phase: "ended", judgement: seen } });
    expect(decide(told, ending(null))).toMatchObject({ state: { judgement: inputs.Judged.judgement } });
  });

  test("is the FAIL that ended it, whatever was seen later", () => {
    expect(decide(states.failed, ending(seen))).toMatchObject({ state: { judgement: states.failed.judgement } });
  });
});

describe("what is shut", () => {
  test("is every region that has a baseline, under the watched epoch", () => {
    expect(shutCommands(sampleSpec({ epochs: { a: 2, b: 9 } }))).toEqual([
      { type: "Shut", region: "a", epoch: 2 },
      { type: "Shut", region: "b", epoch: 9 },
    ]);
  });

  test("is nothing where there is nothing to return to", () => {
    expect(shutCommands(sampleSpec({ mode: "initial" }))).toEqual([]);
    expect(shutCommands(sampleSpec({ baselines: { a: null } }))).toEqual([]);
  });

  test("is confirmed once per region, and never for another grant", () => {
    const once = decide(states.failed, inputs.ShutConfirmed);
    if (once.kind === "refusal") throw new Error("refused");

    expect(decide(once.state, inputs.ShutConfirmed)).toEqual({ kind: "step", state: once.state, commands: [] });
    expect(decide(states.failed, { ...inputs.ShutConfirmed, epoch: 1 })).toMatchObject({ commands: [] });
  });
});

test("a judgement of another step than the watched one is none", () => {
  const late = decide(states.watching, { type: "Judged", judgement: sampleJudgement("PASS", { step: 3 }) });

  expect(late).toMatchObject({ state: { judgement: null }, commands: [] });
});
