import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { identify, isAlive, signal } from "./identity.ts";
import { pidFiles } from "./pid-files.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-pids-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const own = { name: "mesh", pid: 12, startTime: "345", build: "b", ready: { url: "http://127.0.0.1:1" } };

test("what is written is read again, by its owner only", () => {
  const files = pidFiles(join(folder, "pids"));
  files.write(own);
  files.write({ ...own, name: "load", ready: null });
  expect(files.read("mesh")).toEqual(own);
  expect(files.all().map((file) => file.name)).toEqual(["load", "mesh"]);
  expect(statSync(join(folder, "pids", "mesh.json")).mode & 0o777).toBe(0o600);
});

test("a file that is half written, or something else, names nobody", () => {
  const files = pidFiles(folder);
  writeFileSync(join(folder, "mesh.json"), JSON.stringify(own).slice(0, 20));
  writeFileSync(join(folder, "load.json"), JSON.stringify({ ...own, pid: -1 }));
  expect(files.read("mesh")).toBeUndefined();
  expect(files.all()).toEqual([]);
});

test("removing one that is not there is no error", () => {
  expect(() => pidFiles(folder).remove("mesh")).not.toThrow();
});

test("a process is itself, and not an earlier one of the same number", () => {
  const me = identify(process.pid);
  if (me === undefined) throw new Error("this process is not there");
  expect(isAlive(me)).toBe(true);
  const earlier = { ...me, startTime: String(Number(me.startTime) - 1) };
  expect(isAlive(earlier)).toBe(false);
  expect(signal(earlier, "SIGKILL")).toBe(false);
});

test("there is no process where there is none", () => {
  expect(identify(2 ** 22 + 1)).toBeUndefined();
});

test("looking leaves no trace", () => {
  const files = pidFiles(join(folder, "nowhere"));
  expect(files.read("mesh")).toBeUndefined();
  expect(files.all()).toEqual([]);
  expect(existsSync(join(folder, "nowhere"))).toBe(false);
});
