import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findCgroups, parseMembership, settings } from "./cgroups.ts";
import { defaultLimits, prlimitArgs } from "./limits.ts";

const limits = { ...defaultLimits, memoryBytes: 1_000, processes: 7, cpus: 0.5 };

test("a pure v2 machine is limited by the files of v2", () => {
  const group = { version: 2, controllers: ["memory", "pids", "cpu"], path: "/x" } as const;

  expect(settings(group, limits)).toEqual([
    ["memory.max", "1000", true],
    ["memory.swap.max", "0", false],
    ["pids.max", "7", true],
    ["cpu.max", "50000 100000", true],
  ]);
});

test("a v1 hierarchy gets the files of its own controllers only", () => {
  expect(settings({ version: 1, controllers: ["pids"], path: "/x" }, limits)).toEqual([["pids.max", "7", true]]);
  expect(settings({ version: 2, controllers: [], path: "/x" }, limits)).toEqual([]);
});

test("membership is read for v1, named and v2 hierarchies", () => {
  expect(parseMembership("8:pids:/\n4:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/user.slice\n")).toEqual([
    { names: "pids", path: "/" },
    { names: "cpu,cpuacct", path: "/a:b" },
    { names: "name=systemd", path: "/" },
    { names: "", path: "/user.slice" },
  ]);
});

test("a folder that only looks like a hierarchy is none", () => {
  const root = mkdtempSync(join(tmpdir(), "slipway-cgroup-"));
  writeFileSync(join(root, "self"), "0::/\n");

  expect(findCgroups(root, join(root, "self"))).toEqual([]);
  rmSync(root, { recursive: true });
});

test("memory is limited per process only where no group limits it for the whole step", () => {
  expect(prlimitArgs(limits, { limitsMemory: true, limitsProcesses: true }).join(" ")).not.toMatch(/--data|--nproc/);
  expect(prlimitArgs(limits, { limitsMemory: false, limitsProcesses: false })).toEqual(
    expect.arrayContaining(["--data=1000", `--nproc=${limits.processes}`]),
  );
});
