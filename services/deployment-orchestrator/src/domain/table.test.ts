import type { RegionName } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import {
  after,
  grantOf,
  judgement,
  oldVersion,
  passedGate,
  sampleDeployment,
  start,
} from "../../test/support/sample.ts";
import { decide } from "./decide.ts";
import { common, type Deployment, type In, type Phase, setRegion } from "./deployment.ts";
import type { Input, InputType, Intent, TimerPurpose } from "./input.ts";

/** `=`: nothing changes phase. `!`: refused with that code. Else the next phase. */
type Expected = "=" | Phase | "!phase" | "!no_rollback_target" | "!step_changed" | "!too_soon";

const region = "a" as RegionName;
const epochs = grantOf(["a"]);
const accepted = sampleDeployment();
const granted = { ...common(accepted), epochs };
const exposed = { ...granted, regions: setRegion(accepted.regions, region, { state: "serving", weightPercent: 5 }) };
const ended = { ...common(accepted), reason: "it ended", at: start, hadWeight: true };

const now = after(60);
const held = { step: 0, why: "a person", by: "ada", unblockedBy: "a person resumes it", watchedAt: start };
const baking = { step: 0, until: after(10), promotedBy: null, latest: passedGate(), watchedAt: start };
const restoring = { reason: "bad", by: "ada", outcome: "rolled_back", relock: "not_needed" } as const;

/** One state of each phase, in the place from which its facts lead on. */
const states: { readonly [P in Phase]: In<P> } = {
  accepted,
  queued: { ...common(accepted), phase: "queued", behind: "D-6", since: start },
  opening: { ...granted, phase: "opening", opened: [], since: start },
  preparing: { ...granted, phase: "preparing", ready: [region], since: start },
  awaiting_approval: { ...exposed, phase: "awaiting_approval", step: 1, since: start },
  raising: { ...granted, phase: "raising", step: 0, stage: "weighting", done: [], since: start },
  baking: { ...exposed, phase: "baking", since: start, ...baking },
  held: { ...exposed, phase: "held", since: start, ...held },
  finishing: { ...exposed, phase: "finishing", followed: [], settled: true, since: start },
  watching: { ...exposed, phase: "watching", since: start, replacedBy: null },
  verified: { ...exposed, phase: "verified", at: start },
  restoring: { ...exposed, phase: "restoring", since: start, ...restoring },
  rolled_back: { ...ended, phase: "rolled_back" },
  failed: { ...ended, phase: "failed" },
  cancelled: { ...ended, phase: "cancelled" },
  superseded: { ...ended, phase: "superseded" },
};

const rerouted = { kind: "rerouted", what: "the route was removed", by: "kubectl", percent: 0, seen: "7" } as const;

const purposes: { readonly [P in Phase]?: TimerPurpose } = { baking: "bake", finishing: "settle", watching: "verify" };

/** One input of each type, current in every stamp that it carries. */
function inputs(phase: Phase): { readonly [T in InputType]: Extract<Input, { type: T }> } {
  const here = { region, epoch: 1, step: 0, now };
  const pass = judgement({ verdict: "PASS" });
  return {
    Rollback: { type: "Rollback", by: "ada", reason: "it smells", now },
    Halt: { type: "Halt", by: "ada", reason: "lunch", now },
    Resume: { type: "Resume", by: "ada", now },
    Promote: { type: "Promote", by: "ada", expectedStep: 0, now },
    Approve: { type: "Approve", by: "grace", reason: "urgent", now },
    ImageMissing: { type: "ImageMissing", reason: "its image was not copied", now },
    VersionBanned: { type: "VersionBanned", by: "D-5" as never, now },
    LockGranted: { type: "LockGranted", epochs: grantOf(["a"], 2), now },
    LockWaiting: { type: "LockWaiting", behind: "D-5", now },
    LockLost: { type: "LockLost", to: "D-9", now },
    Superseded: { type: "Superseded", by: "D-9" as never, now },
    FenceOpened: { type: "FenceOpened", ...here, baseline: oldVersion },
    FenceStale: { type: "FenceStale", ...here, found: "D-9" },
    WorkloadReady: { type: "WorkloadReady", ...here },
    WorkloadFailed: { type: "WorkloadFailed", ...here, reason: "CrashLoopBackOff" },
    WatchArmed: { type: "WatchArmed", step: 0, now },
    WatchSeen: { type: "WatchSeen", step: 0, judgement: pass, epochs, now },
    WatchSilent: { type: "WatchSilent", step: 0, since: start, now },
    WeightServed: { type: "WeightServed", ...here, percent: 5 },
    RaiseRefused: { type: "RaiseRefused", ...here, why: "drifted" },
    Judged: { type: "Judged", judgement: pass, epochs, now },
    WatchFailed: { type: "WatchFailed", judgement: judgement({ verdict: "FAIL" }), epochs, now },
    Lowered: { type: "Lowered", ...here },
    LowerStale: { type: "LowerStale", ...here },
    Followed: { type: "Followed", ...here },
    Retired: { type: "Retired", ...here },
    DriftSeen: { type: "DriftSeen", region, epoch: 1, drift: rerouted, now },
    DriftGone: { type: "DriftGone", region, epoch: 1, percent: 5, now },
    Voided: { type: "Voided", by: "ada", reason: "the database was restored", now },
    Replaced: { type: "Replaced", by: "D-9" as never, epochs: grantOf(["a"], 2), now },
    TimeReached: { type: "TimeReached", purpose: purposes[phase] ?? "bake", now },
  };
}

const refusedIntents = {
  Rollback: "!phase",
  Halt: "!phase",
  Resume: "!phase",
  Promote: "!phase",
  Approve: "!phase",
} as const satisfies Record<Intent["type"], Expected>;

const ignoredFacts = {
  ImageMissing: "=",
  VersionBanned: "=",
  LockGranted: "=",
  LockWaiting: "=",
  LockLost: "=",
  Superseded: "=",
  FenceOpened: "=",
  FenceStale: "=",
  WorkloadReady: "=",
  WorkloadFailed: "=",
  WatchArmed: "=",
  WatchSeen: "=",
  WatchSilent: "=",
  WeightServed: "=",
  RaiseRefused: "=",
  Judged: "=",
  WatchFailed: "=",
  Lowered: "=",
  LowerStale: "=",
  Followed: "=",
  Retired: "=",
  Replaced: "=",
  DriftSeen: "=",
  DriftGone: "=",
  Voided: "=",
  TimeReached: "=",
} as const satisfies Record<Exclude<InputType, Intent["type"]>, Expected>;

/** What a phase does not await: written out once, so that a new input is missing here and nowhere else. */
const nothing = { ...refusedIntents, ...ignoredFacts };
const open = { ...nothing, Voided: "superseded" } as const;
const ungranted = {
  ...open,
  VersionBanned: "failed",
  LockGranted: "opening",
  LockWaiting: "queued",
  LockLost: "superseded",
  Superseded: "superseded",
  Rollback: "cancelled",
} as const;
const leaving = { ...open, Rollback: "restoring", LockLost: "restoring", WatchFailed: "restoring" } as const;

const table: Record<Phase, Record<InputType, Expected>> = {
  accepted: { ...ungranted, ImageMissing: "failed" },
  queued: { ...ungranted, LockWaiting: "=" },
  opening: { ...leaving, FenceOpened: "preparing", FenceStale: "restoring" },
  preparing: { ...leaving, WatchArmed: "raising", WorkloadFailed: "restoring" },
  awaiting_approval: { ...leaving, Approve: "raising", DriftSeen: "held" },
  raising: {
    ...leaving,
    Halt: "held",
    WorkloadFailed: "restoring",
    WeightServed: "baking",
    RaiseRefused: "held",
    DriftSeen: "held",
  },
  baking: {
    ...leaving,
    Approve: "raising",
    Halt: "held",
    Promote: "raising",
    Judged: "raising",
    WatchSeen: "raising",
    TimeReached: "raising",
    WatchSilent: "restoring",
    DriftSeen: "held",
  },
  held: { ...leaving, Resume: "raising", Halt: "=", Approve: "=", WatchSilent: "restoring" },
  finishing: { ...leaving, Followed: "watching" },
  watching: { ...open, Rollback: "restoring", WatchFailed: "restoring", TimeReached: "verified" },
  restoring: { ...open, Retired: "rolled_back" },
  verified: nothing,
  rolled_back: nothing,
  failed: nothing,
  cancelled: nothing,
  superseded: nothing,
};

describe.each(Object.keys(table) as Phase[])("%s", (phase) => {
  test.each(Object.keys(table[phase]) as InputType[])("answers %s as the table says", (type) => {
    const state: Deployment = states[phase];
    const expected = table[phase][type];

    const answer = decide(state, inputs(phase)[type]);

    if (expected.startsWith("!")) expect(answer).toMatchObject({ code: `deployment.${expected.slice(1)}` });
    else expect(answer).toMatchObject({ kind: "step", state: { phase: expected === "=" ? phase : expected } });
  });
});

test("the table has every phase with every input", () => {
  expect(Object.keys(table)).toHaveLength(16);
  for (const row of Object.values(table)) expect(Object.keys(row).sort()).toEqual(Object.keys(inputs("baking")).sort());
});
