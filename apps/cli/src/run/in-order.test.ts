import fc from "fast-check";
import { expect, test } from "vitest";
import { inOrder } from "./in-order.ts";

const step = (name: string, ...needs: string[]) => ({ name, needs });

test("steps that need nothing of each other run at once, the others after their needs", async () => {
  const seen: string[] = [];
  const run = async (name: string) => {
    seen.push(`+${name}`);
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(`-${name}`);
    return "succeeded" as const;
  };

  const ends = await inOrder([step("compile"), step("unit", "compile"), step("lint", "compile")], 4, run);

  expect(seen.slice(0, 4)).toEqual(["+compile", "-compile", "+unit", "+lint"]);
  expect(ends).toEqual({ compile: "succeeded", unit: "succeeded", lint: "succeeded" });
});

test("after a failure what runs finishes and what waits is skipped", async () => {
  const run = async (name: string) => (name === "a" ? ("failed" as const) : ("succeeded" as const));

  const ends = await inOrder([step("a"), step("b"), step("c", "b"), step("d", "a")], 2, run);

  expect(ends).toEqual({ a: "failed", b: "succeeded", c: "skipped", d: "skipped" });
});

test("whatever the plan, no more steps run at once than there are places and none before its needs", async () => {
  const plans = fc
    .integer({ min: 1, max: 8 })
    .chain((count) =>
      fc.tuple(...Array.from({ length: count }, (_, i) => fc.subarray(Array.from({ length: i }, (__, j) => `s${j}`)))),
    )
    .map((needs) => needs.map((own, i) => ({ name: `s${i}`, needs: own })));
  await fc.assert(
    fc.asyncProperty(plans, fc.integer({ min: 1, max: 4 }), async (plan, places) => {
      let running = 0;
      const done = new Set<string>();
      const ends = await inOrder(plan, places, async (name) => {
        running += 1;
        expect(running).toBeLessThanOrEqual(places);
        for (const need of plan.find((one) => one.name === name)?.needs ?? []) expect(done.has(need)).toBe(true);
        await Promise.resolve();
        running -= 1;
        done.add(name);
        return "succeeded";
      });
      expect(Object.values(ends)).toEqual(plan.map(() => "succeeded"));
    }),
  );
});
