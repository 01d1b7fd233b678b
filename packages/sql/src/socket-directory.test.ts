import { expect, test } from "vitest";
import { chooseSocketDirectory } from "./socket-directory.ts";

test("the socket lies beside the data where the path is short enough", () => {
  expect(chooseSocketDirectory("/home/ada/.slipway", "/tmp", 1000)).toBe("/home/ada/.slipway/run");
});

test.each([
  ["too long", `/home/${"x".repeat(90)}`],
  ["with a comma, which the server would take for a list", "/home/a,b"],
  ["with a space", "/home/a b"],
  ["too long in bytes though not in letters", `/home/${"ü".repeat(45)}`],
])("a path %s moves the socket to a short folder that follows from the data folder", (_, dataDir) => {
  const chosen = chooseSocketDirectory(dataDir, "/tmp", 1000);

  expect(chosen).toMatch(/^\/tmp\/slipway-1000-[0-9a-f]{12}$/);
  expect(chooseSocketDirectory(dataDir, "/tmp", 1000)).toBe(chosen);
  expect(chooseSocketDirectory(`${dataDir}2`, "/tmp", 1000)).not.toBe(chosen);
});

test("a long temporary folder is passed over", () => {
  expect(chooseSocketDirectory("/a,b", `/${"t".repeat(100)}`, 0)).toMatch(/^\/tmp\/slipway-0-/);
});
