import { expect, test } from "vitest";
import { toolchainOf } from "./toolchain.ts";

test.each([
  ["no Python and no Go", undefined, undefined],
  ["the system's Python, beside which an older Node may lie", "/usr", undefined],
  ["a Python of its own folder", process.cwd(), undefined],
])("the platform's Node is found before any other: %s", (_what, python, go) => {
  const { path } = toolchainOf(python, go);

  expect(path.split(":")[0]).toBe("/opt/slipway/bin");
  expect(path.split(":")).toContain("/usr/bin");
});

test("a Python outside /usr is mounted, and found before the system's", () => {
  const { path, mounts, env } = toolchainOf(process.cwd(), undefined);

  expect(mounts).toEqual([{ from: process.cwd(), to: "/opt/slipway/python" }]);
  const folders = path.split(":");
  expect(folders.indexOf("/opt/slipway/python/bin")).toBeLessThan(folders.indexOf("/usr/bin"));
  expect(env).toEqual({ LD_LIBRARY_PATH: "/opt/slipway/python/lib" });
});
