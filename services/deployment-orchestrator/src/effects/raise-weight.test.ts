import type { RaiseRequest } from "@slipway/cluster";
import type { Judgement, WatchView } from "@slipway/contracts";
import { addMs, type Instant } from "@slipway/kernel";
import { expect, test } from "vitest";
import { judgement } from "../../test/support/sample.ts";
import { epochsOf, given, of, two } from "../../test/support/story.ts";
import type { Context, Ports } from "./ports.ts";
import { raiseWeight } from "./traffic.ts";

const hourMs = 3_600_000;

/** A raise to 25% as it was decided, and what is asked of the region when it is carried out under other circumstances. */
function raised(change: {
  readonly laterMs?: number;
  readonly generation?: number;
  readonly watch?: (now: Instant) => Partial<WatchView>;
}) {
  const world = given("raising", {}, 1);
  const weighting = () => world.state.phase === "raising" && world.state.stage === "weighting";
  world.settle(300, weighting);
  const command = of(world.emitted, "RaiseWeight").at(-1);
  if (command === undefined) throw new Error("nothing was raised");
  const now = addMs(world.now, change.laterMs ?? 0);
  const asked: RaiseRequest[] = [];
  const watch = {
    ...{ state: "watching", judgement: null, epochs: epochsOf(world), last_look_at: now },
    regions: Object.fromEntries(two.map((region) => [region, { served_weight: { percent: 100 } }])),
    ...change.watch?.(now),
  };
  const ports = {
    clock: { now: () => now, monotonicMs: () => 0 },
    client: { call: async () => watch },
    regions: {
      cluster: async () => ({
        raise: async (_target: unknown, request: RaiseRequest) => {
          asked.push(request);
          return { kind: "raised", seq: 1 };
        },
      }),
    },
  } as unknown as Ports;
  const row = { state: world.state, generation: change.generation ?? 0 };
  const ctx = { id: "D-7", generation: 0, signal: AbortSignal.timeout(60_000), current: async () => row };
  return { asked, outcome: raiseWeight(ports, command, ctx as unknown as Context) };
}

test("a raise of a proven version is asked of the region as proven", async () => {
  const { asked, outcome } = raised({});

  expect(await outcome).toMatchObject({ kind: "fact" });
  expect(asked).toMatchObject([{ percent: 25, exposure: { production: true, proven: true } }]);
});

test.each([1, -1])(
  "a watch whose clock is off (by %i minutes) is asked by that clock when it looked",
  async (minutes) => {
    const off = (now: Instant) => addMs(now, minutes * 60_000 - 1_000);
    const { asked, outcome } = raised({ watch: (now) => ({ last_look_at: off(now), as_of: addMs(off(now), 500) }) });

    await outcome;
    expect(asked).toMatchObject([{ percent: 25 }]);
  },
);

test("a proof that grew too old since it was decided is none when it is carried out", async () => {
  const { asked, outcome } = raised({ laterMs: 25 * hourMs });

  await outcome;
  expect(asked).toMatchObject([{ exposure: { production: true, proven: false } }]);
});

test("what was superseded since is not carried out", async () => {
  const { asked, outcome } = raised({ generation: 1 });

  expect(await outcome).toEqual({ kind: "done" });
  expect(asked).toEqual([]);
});

test.each<[string, (now: Instant) => Partial<WatchView>]>([
  ["has not looked for a minute", (now) => ({ last_look_at: addMs(now, -61_000) })],
  ["has not looked for a minute by its own clock", (now) => ({ last_look_at: now, as_of: addMs(now, 61_000) })],
  ["has never looked", () => ({ last_look_at: null })],
  ["has failed", () => ({ state: "failed" })],
  ["has ended", () => ({ state: "ended" })],
])("nothing is raised while the watch %s, and why is said", async (_what, watch) => {
  const { asked, outcome } = raised({ watch });

  expect(await outcome).toMatchObject({ kind: "retry", reason: expect.stringContaining("watch") });
  expect(asked).toEqual([]);
});

test("nothing is raised over evidence of harm that the watch has and whose event has not come", async () => {
  const found: Judgement = { ...judgement({ verdict: "NONE", step: 1, regions: two }), evidence: 120 };

  const { asked, outcome } = raised({ watch: () => ({ judgement: found }) });

  expect(await outcome).toMatchObject({ kind: "fact" });
  expect(asked).toEqual([]);
});
