import fc from "fast-check";
import { expect, test } from "vitest";
import { anyFence } from "../test/support/any-virtual-service.ts";
import { formatFence, nextFence, parseFence } from "./fence.ts";

test("a fence survives being written and read", () => {
  fc.assert(
    fc.property(anyFence, (fence) => {
      expect(parseFence(formatFence(fence))).toEqual(fence);
    }),
  );
});

test("what is missing or unreadable is no fence at all", () => {
  const wrong = [
    undefined,
    "",
    "3/7/open",
    "3/7/ajar/D-1",
    "-1/7/open/D-1",
    "3/7/open/",
    "03/7/open/D-1",
    "3/7/open/D-1 ",
  ];
  for (const text of wrong) expect(parseFence(text)).toBeNull();
  expect(parseFence("3/7/open/D-456")).toEqual({ epoch: 3, seq: 7, gate: "open", holder: "D-456" });
});

test("seq grows by one with every write, through all epochs", () => {
  const first = nextFence(null, { epoch: 4, gate: "open", holder: "D-1" });
  const second = nextFence(first, { epoch: 5, gate: "shut", holder: "D-2" });

  expect(first.seq).toBe(1);
  expect(second).toEqual({ epoch: 5, seq: 2, gate: "shut", holder: "D-2" });
});
