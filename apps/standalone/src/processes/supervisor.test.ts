import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@slipway/sql";
import { expect, test } from "vitest";
import { identify, isAlive } from "./identity.ts";
import { pidFiles } from "./pid-files.ts";
import { Supervisor } from "./supervisor.ts";

test("a process that an earlier platform left is ended by its name, and one that has gone since is only forgotten", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-supervisor-"));
  const pids = pidFiles(folder);
  const supervisor = new Supervisor({ entry: "none", build: "b", pids, logsDir: folder, log: silentLogger });
  const left = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const exited = once(left, "exit");
  const identity = identify(left.pid ?? 0);
  if (identity === undefined) throw new Error("the process has gone");
  pids.write({ name: "load", ...identity, build: "older", ready: {} });

  await supervisor.end("load");
  await exited;

  expect([isAlive(identity), pids.read("load")]).toEqual([false, undefined]);
  pids.write({ name: "load", ...identity, build: "older", ready: {} });
  await supervisor.end("load");
  expect(pids.read("load")).toBeUndefined();
  await supervisor.end("never there");
  rmSync(folder, { recursive: true });
});
