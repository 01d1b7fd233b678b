import fc from "fast-check";
import { expect, test } from "vitest";
import { type Kept, toDrop } from "./which-to-drop.ts";

const kept = (key: string, bytes: number, usedAt: number): Kept => ({ key, bytes, usedAt });
const keys = (dropped: readonly Kept[]) => dropped.map(({ key }) => key);

test("what was used longest ago goes until the rest fits", () => {
  const entries = [kept("new", 40, 30), kept("old", 40, 10), kept("middle", 40, 20)];

  expect(keys(toDrop(entries, { maxBytes: 80, busyAfter: 100, justKept: "" }))).toEqual(["old"]);
  expect(keys(toDrop(entries, { maxBytes: 120, busyAfter: 100, justKept: "" }))).toEqual([]);
});

test("what was just kept stays, and what may be in a build's hands goes only beyond twice the room", () => {
  const entries = [kept("mine", 50, 1), kept("busy", 50, 90), kept("idle", 50, 10)];

  expect(keys(toDrop(entries, { maxBytes: 60, busyAfter: 80, justKept: "mine" }))).toEqual(["idle"]);
  expect(keys(toDrop(entries, { maxBytes: 40, busyAfter: 80, justKept: "mine" }))).toEqual(["idle", "busy"]);
});

test("whatever there is, what is left fits twice the room or is what was just kept", () => {
  const entry = fc.record({ bytes: fc.nat(100), usedAt: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(entry), fc.nat(300), fc.nat(100), (made, maxBytes, busyAfter) => {
      const entries = made.map((one, index) => ({ ...one, key: String(index) }));
      const dropped = new Set(toDrop(entries, { maxBytes, busyAfter, justKept: "0" }));
      const left = entries.filter((one) => !dropped.has(one));
      const bytes = left.reduce((sum, one) => sum + one.bytes, 0);
      expect(bytes <= 2 * maxBytes || left.every(({ key }) => key === "0")).toBe(true);
      expect(left.length + dropped.size).toBe(entries.length);
    }),
  );
});
