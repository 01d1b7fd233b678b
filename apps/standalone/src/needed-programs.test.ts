import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { missingPrograms } from "./needed-programs.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-path-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function install(...programs: readonly string[]): void {
  for (const program of programs) {
    writeFileSync(join(folder, program), "");
    chmodSync(join(folder, program), 0o755);
  }
}

test("a machine with everything lacks nothing", () => {
  install("git", "unshare", "setpriv", "prlimit", "mount");

  expect(missingPrograms(folder, "")).toBeUndefined();
});

test("without git the package and what it is for are named", () => {
  install("unshare", "setpriv", "prlimit", "mount");

  expect(missingPrograms(folder, "/nowhere")).toMatch(
    /^This machine lacks git \(for repositories and builds\)\. Install: apt-get install git \(Debian/,
  );
});

test("without util-linux too, one line installs both", () => {
  install("mount");

  expect(missingPrograms(folder, "/nowhere")).toMatch(
    /git .* and unshare, setpriv, prlimit .*apt-get install git util-linux/,
  );
});

test("a file that may not be run is no program", () => {
  install("git", "unshare", "setpriv", "prlimit", "mount");
  chmodSync(join(folder, "git"), 0o644);

  expect(missingPrograms(folder, "/nowhere")).toMatch(/lacks git/);
});
