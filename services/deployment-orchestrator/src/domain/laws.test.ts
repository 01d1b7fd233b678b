import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkInvariants } from "../../test/support/invariants.ts";
import { anyMove, makeMove, plans } from "../../test/support/moves.ts";
import { regionsOf } from "../../test/support/sample.ts";
import { ScriptedWorld } from "../../test/support/scripted-world.ts";

const long = { minLength: 1, maxLength: 80, size: "max" } as const;
/** So many commands go well before the trouble begins: every phase is reached often. */
const goodStart = fc.nat(90);

describe("over any sequence of facts and wishes, repeated, lost, late and stale", () => {
  test("every invariant holds after every step", () => {
    fc.assert(
      fc.property(plans, goodStart, fc.array(anyMove, long), (plan, start, moves) => {
        const world = new ScriptedWorld(plan);
        world.settle(start, () => world.state.phase === "awaiting_approval");
        for (const move of moves) {
          const from = world.strides.length;
          makeMove(world, move);
          checkInvariants(world, from);
        }
      }),
      { numRuns: 2_000 },
    );
  }, 120_000);

  test("whatever was performed, a rollback ends or is held within bounded steps", () => {
    const kept = anyMove.filter((move) => move.kind !== "forget" && move.kind !== "stale");
    fc.assert(
      fc.property(plans, goodStart, fc.array(kept, long), (plan, start, moves) => {
        const world = new ScriptedWorld(plan);
        world.settle(start, () => world.state.phase === "awaiting_approval");
        for (const move of moves) makeMove(world, move);
        if (world.ended) return;

        world.send({ type: "Rollback", by: "ada", reason: "enough", now: world.now });
        const leftAlone = world.state.phase;
        const finished = world.settle(400, () => world.ended || world.state.phase === "held");

        expect(finished, `from ${leftAlone}`).toBe(true);
        const serves = plan.initial === true || plan.rollsBack != null;
        const stuck = !world.ended && world.state.phase !== "held" && !(serves && world.state.phase === "watching");
        const replaced = world.state.phase === "watching" && world.state.replacedBy !== null;
        expect(stuck && !replaced, `${leftAlone} came to ${world.state.phase}`).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  }, 120_000);

  test("what cannot become ready in a first deployment ends, and gives the lock back", () => {
    const world = new ScriptedWorld({ initial: true, regions: regionsOf("ab") });
    world.settle(100, () => world.state.phase === "preparing");
    const prepare = world.claimable.find(({ command }) => command.type === "PrepareWorkload");

    world.perform(prepare!, "badly");
    world.settle(100);

    expect(world.state).toMatchObject({ phase: "failed", hadWeight: false });
    expect(world.emitted.filter(({ type }) => type === "ReleaseLock")).toHaveLength(1);
  });

  test("left to answer well, every plan comes to its end by itself", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const world = new ScriptedWorld(plan);
        world.settle(600, () => world.state.phase === "awaiting_approval");
        if (world.state.phase === "awaiting_approval") {
          world.send({ type: "Approve", by: "grace", reason: "urgent", now: world.now });
          world.settle(600);
        }
        expect(world.state.phase).toBe("verified");
      }),
    );
  });
});
