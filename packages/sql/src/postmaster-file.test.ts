import { expect, test } from "vitest";
import { parsePostmasterFile } from "./postmaster-file.ts";

test("pid and socket folder come from their lines", () => {
  const text = "4711\n/data/postgres\n1767603600\n5432\n/data/run\n\n  5432001    131072\nready   \n";
  expect(parsePostmasterFile(text)).toEqual({ pid: 4711, socketDirectory: "/data/run" });
});

test.each(["", "\n", "4711\n/data\n", "nonsense\n/data\n1\n5432\n/run\n"])(
  "a half-written file (%j) is none",
  (text) => {
    expect(parsePostmasterFile(text)).toBeUndefined();
  },
);
