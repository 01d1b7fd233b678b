import fc from "fast-check";
import { expect, test } from "vitest";
import { nextSizes, type Rollout } from "./rollout.ts";

const rolling = (maxSurge: number | string, maxUnavailable: number | string) =>
  ({ type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } }) as const;

test("without earlier replica sets the present one has all", () => {
  const rollout = { current: { desired: 0, available: 0 }, old: [] };
  expect(nextSizes({ replicas: 4, strategy: rolling("25%", "25%") }, rollout)).toEqual({ current: 4, old: [] });
});

test("Recreate empties the earlier ones first", () => {
  const rollout = { current: { desired: 0, available: 0 }, old: [{ desired: 3, available: 3 }] };
  expect(nextSizes({ replicas: 3, strategy: { type: "Recreate" } }, rollout)).toEqual({ current: 0, old: [0] });
});

test("a surge of one adds one, and takes one away only when that one serves", () => {
  const spec = { replicas: 3, strategy: rolling(1, 0) };
  const step = (current: number, available: number, old: number) =>
    nextSizes(spec, { current: { desired: current, available }, old: [{ desired: old, available: old }] });

  expect(step(0, 0, 3)).toEqual({ current: 1, old: [3] });
  expect(step(1, 0, 3)).toEqual({ current: 1, old: [3] });
  expect(step(1, 1, 3)).toEqual({ current: 1, old: [2] });
  expect(step(3, 3, 1)).toEqual({ current: 3, old: [0] });
});

const sizes = fc
  .record({ desired: fc.nat(8), down: fc.nat(8) })
  .map(({ desired, down }) => ({ desired, available: Math.max(0, desired - down) }));

test("no step goes over the surge or takes what must stay available", () => {
  fc.assert(
    fc.property(
      fc.record({ replicas: fc.nat(8), surge: fc.nat(4), unavailable: fc.nat(4) }),
      fc.record({ current: sizes, old: fc.array(sizes, { maxLength: 3 }) }),
      ({ replicas, surge, unavailable }, rollout: Rollout) => {
        fc.pre(rollout.old.some(({ desired }) => desired > 0));
        const next = nextSizes({ replicas, strategy: rolling(surge, unavailable) }, rollout);
        const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
        const before = rollout.current.desired + total(rollout.old.map(({ desired }) => desired));
        const limit = replicas + (surge === 0 && unavailable === 0 ? 0 : surge);

        expect(next.current + total(rollout.old.map(({ desired }) => desired))).toBeLessThanOrEqual(
          Math.max(limit, before),
        );
        const taken = total(
          rollout.old.map(({ desired, available }, at) =>
            Math.max(0, Math.min(desired, available) - (next.old[at] ?? 0)),
          ),
        );
        const available = rollout.current.available + total(rollout.old.map((each) => each.available));
        const floor = replicas - (surge === 0 && unavailable === 0 ? 1 : unavailable);
        if (taken > 0) expect(available - taken).toBeGreaterThanOrEqual(floor);
        next.old.forEach((size, at) => {
          expect(size).toBeLessThanOrEqual(rollout.old[at]?.desired ?? 0);
        });
      },
    ),
  );
});

test("where pods come up, every rollout ends with the present replica set alone", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.nat(3),
      fc.nat(3),
      fc.nat(8),
      (replicas, surge, unavailable, old) => {
        let rollout: Rollout = { current: { desired: 0, available: 0 }, old: [{ desired: old, available: old }] };
        for (let step = 0; step < 40; step += 1) {
          const next = nextSizes({ replicas, strategy: rolling(surge, unavailable) }, rollout);
          const up = (desired: number) => ({ desired, available: desired });
          rollout = { current: up(next.current), old: next.old.map(up) };
        }

        expect(rollout).toEqual({
          current: { desired: replicas, available: replicas },
          old: [{ desired: 0, available: 0 }],
        });
      },
    ),
  );
});
