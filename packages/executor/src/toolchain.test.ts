import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mayBeSeen, toolchainOf } from "./toolchain.ts";

const files = ["bin/python3", "lib"];
let place = "";
let python = "";
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "slipway-toolchain-"));
  python = installed(join(place, "python"));
});
afterAll(() => rmSync(place, { recursive: true }));

function installed(folder: string): string {
  mkdirSync(join(folder, "bin"), { recursive: true });
  mkdirSync(join(folder, "lib"));
  writeFileSync(join(folder, "bin/python3"), "");
  return folder;
}

test.each([undefined, "/usr", "/opt/python"])(
  "the platform's own Node is found before any other: Python in %s",
  (prefix) => {
    const { path } = toolchainOf(prefix, undefined);

    expect(path.split(":")[0]).toBe("/opt/slipway/bin");
    expect(path.split(":")).toContain("/usr/bin");
  },
);

test("a Python outside /usr is mounted, and found before the system's", () => {
  const { path, mounts, env } = toolchainOf("/opt/python", undefined);

  expect(mounts).toEqual([{ from: "/opt/python", to: "/opt/slipway/python" }]);
  const folders = path.split(":");
  expect(folders.indexOf("/opt/slipway/python/bin")).toBeLessThan(folders.indexOf("/usr/bin"));
  expect(env).toEqual({ LD_LIBRARY_PATH: "/opt/slipway/python/lib" });
});

test("a folder is shown to steps only where it is an installation", () => {
  expect(mayBeSeen(python, files, [])).toBe(true);
  expect(mayBeSeen(place, files, [])).toBe(false);
  expect(mayBeSeen(join(place, "absent"), files, [])).toBe(false);
});

test.each(["/", "/home", homedir(), "/etc", tmpdir()])("%s is never shown, whatever it looks like", (folder) => {
  expect(mayBeSeen(folder, [], [])).toBe(false);
});

test("neither is one that holds the platform's data or lies within it", () => {
  expect(mayBeSeen(python, files, [join(python, "share/data")])).toBe(false);
  expect(mayBeSeen(python, files, [place])).toBe(false);
  expect(mayBeSeen(python, files, [`${python}-data`])).toBe(true);
});
