import type { Epoch, RegionName } from "@slipway/kernel";
import fc from "fast-check";
import type { Drift, Plan } from "../../src/domain/deployment.ts";
import type { Fact, Input } from "../../src/domain/input.ts";
import { judgement, minuteMs, regionsOf } from "./sample.ts";
import type { Mood, ScriptedWorld } from "./scripted-world.ts";

/** What may happen next. Numbers choose among what there is at that moment. */
export type Move =
  | { readonly kind: "perform"; readonly which: number; readonly mood: Mood }
  | { readonly kind: "forget"; readonly which: number }
  | { readonly kind: "repeat"; readonly which: number }
  | { readonly kind: "stale"; readonly which: number; readonly by: number }
  | {
      readonly kind: "ask";
      readonly intent: "Rollback" | "Halt" | "Resume" | "Promote" | "Approve";
      readonly step: number;
    }
  | {
      readonly kind: "judge";
      readonly verdict: "PASS" | "FAIL" | "NONE";
      readonly honest: boolean;
      readonly weight: number;
      readonly evidence: number | undefined;
    }
  | { readonly kind: "happen"; readonly what: "LockLost" | "Superseded" | "Replaced" }
  | {
      readonly kind: "touch";
      readonly what: Drift["kind"] | "nothing";
      readonly which: number;
      readonly percent: number;
    }
  | { readonly kind: "wait"; readonly minutes: number };

const which = fc.nat(40);
const mood = fc.nat(24).map((chance): Mood => (chance === 0 ? "badly" : chance < 3 ? "late" : "well"));

export const anyMove: fc.Arbitrary<Move> = fc.oneof(
  { weight: 40, arbitrary: fc.record({ kind: fc.constant("perform" as const), which, mood }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const), which }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("repeat" as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("stale" as const), which, by: fc.constantFrom(-1, 1) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("ask" as const),
      intent: fc.constantFrom("Rollback", "Halt", "Resume", "Resume", "Promote", "Promote", "Approve", "Approve"),
      step: fc.nat(3),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("judge" as const),
      verdict: fc.constantFrom("PASS", "PASS", "PASS", "NONE", "FAIL"),
      honest: fc.boolean(),
      weight: fc.constantFrom(1, 5, 25),
      evidence: fc.constantFrom(undefined, 1, 1, 1, 500),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("touch" as const),
      what: fc.constantFrom(
        "raised",
        "lowered",
        "lowered",
        "rerouted",
        "paused",
        "shut",
        "unfenced",
        "nothing",
        "nothing",
      ),
      which: fc.nat(2),
      percent: fc.constantFrom(0, 2, 60),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("happen" as const),
      what: fc.constantFrom("LockLost", "Superseded", "Replaced"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), minutes: fc.constantFrom(1, 20, 1_500) }) },
);

const climbing = [[5, 25, 50, 100], [5, 100], [1, 5, 100], [25, 100], [100]].map((weights) =>
  weights.map((weightPercent) => ({ weightPercent, bakeMs: 10 * minuteMs })),
);

/** Plans of every kind: canary, first deployment, way back; in production and outside; one region to three. */
export const plans: fc.Arbitrary<Partial<Plan>> = fc
  .record({
    regions: fc.constantFrom("a", "ab", "abc").map(regionsOf),
    production: fc.constantFrom(true, true, false),
    steps: fc.constantFrom(...climbing),
    kind: fc.constantFrom("canary", "canary", "canary", "initial", "rollback"),
  })
  .map(({ kind, steps, ...plan }) => {
    const whole = [{ weightPercent: 100, bakeMs: 0 }];
    if (kind === "initial") return { ...plan, initial: true, steps: whole };
    if (kind === "rollback") return { ...plan, strategy: "rollback" as const, rollsBack: "D-6" as never, steps: whole };
    return { ...plan, steps };
  });

export function makeMove(world: ScriptedWorld, move: Move): void {
  switch (move.kind) {
    case "perform":
    case "forget": {
      const next = pick(world.claimable, move.which);
      const forget = move.kind === "forget";
      if (next !== undefined) world.perform(next, forget ? "well" : move.mood, forget);
      return;
    }
    case "repeat":
    case "stale": {
      const fact = pick(world.facts, move.which);
      if (fact !== undefined) world.send({ ...(move.kind === "stale" ? aged(fact, move.by) : fact), now: world.now });
      return;
    }
    case "wait":
      world.pass(move.minutes * minuteMs);
      return;
    default:
      world.send(inputOf(world, move));
  }
}

function pick<T>(all: readonly T[], which: number): T | undefined {
  return all.length === 0 ? undefined : all[which % all.length];
}

/** The same fact about another grant or another step. */
function aged(fact: Fact, by: number): Fact {
  if (by > 0 && "step" in fact) return { ...fact, step: fact.step + by };
  if ("epoch" in fact) return { ...fact, epoch: fact.epoch - 1 };
  if ("epochs" in fact && fact.type !== "LockGranted") {
    const epochs = Object.fromEntries(Object.entries(fact.epochs).map(([region, epoch]) => [region, epoch - 1]));
    return { ...fact, epochs: epochs as Record<string, Epoch> };
  }
  return fact;
}

function inputOf(world: ScriptedWorld, move: Extract<Move, { kind: "ask" | "judge" | "happen" | "touch" }>): Input {
  const { now, state } = world;
  const epochs = "epochs" in state ? state.epochs : {};
  if (move.kind === "ask") return asked(move, now);
  if (move.kind === "judge") {
    const { regions } = state.plan;
    const step = "step" in state ? state.step : 0;
    const lie = move.honest ? {} : { requests: 40 };
    const finding = { verdict: move.verdict, step, weightPercent: move.weight, regions, at: now, ...lie };
    const found = move.evidence === undefined ? judgement(finding) : { ...judgement(finding), evidence: move.evidence };
    return { type: move.verdict === "FAIL" ? "WatchFailed" : "Judged", judgement: found, epochs, now };
  }
  if (move.kind === "touch") return touched(world, move);
  const by = "D-9" as never;
  if (move.what === "LockLost") return { type: "LockLost", to: "D-9", now };
  if (move.what === "Superseded") return { type: "Superseded", by, now };
  const newer = Object.fromEntries(state.plan.regions.map((region) => [region, (epochs[region] ?? 0) + 1]));
  return { type: "Replaced", by, epochs: newer, now };
}

/** What somebody with kubectl did in one region, or that it is as it should be again. */
function touched({ state, now }: ScriptedWorld, { what, which, percent }: Extract<Move, { kind: "touch" }>): Input {
  const region = state.plan.regions[which % state.plan.regions.length] ?? ("a" as RegionName);
  const epoch = "epochs" in state ? (state.epochs[region] ?? 0) : 0;
  if (what === "nothing")
    return { type: "DriftGone", region, epoch, percent: state.regions[region]?.weightPercent ?? 0, now };
  const drift: Drift = { kind: what, what: `${what} ${percent}`, by: "kubectl", percent, seen: now };
  return { type: "DriftSeen", region, epoch, drift, now };
}

function asked({ intent, step }: Extract<Move, { kind: "ask" }>, now: Input["now"]): Input {
  switch (intent) {
    case "Promote":
      return { type: "Promote", by: "ada", expectedStep: step === 3 ? null : step, now };
    case "Resume":
      return { type: "Resume", by: "ada", now };
    default:
      return { type: intent, by: "ada", reason: "because", now };
  }
}
