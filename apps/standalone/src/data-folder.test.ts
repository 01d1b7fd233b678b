import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { livePlatform, openDataFolder, readEndpoints, wipeDataFolder, writeEndpoints } from "./data-folder.ts";
import { folderTrouble } from "./folder-trouble.ts";
import { holdFolder } from "./hold-folder.ts";
import { identify } from "./processes/identity.ts";
import { pidFiles } from "./processes/pid-files.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a data folder", () => {
  test("is made for its owner only, and opened again", () => {
    const data = join(folder, "new", "data");
    expect(openDataFolder(data)).toBeUndefined();
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(data, "version"), "utf8")).toBe("1\n");
    expect(openDataFolder(data)).toBeUndefined();
  });

  test("of a newer version, or of somebody else, is refused with a sentence and left as it is", () => {
    writeFileSync(join(folder, "version"), "2\n");
    chmodSync(folder, 0o755);
    expect(openDataFolder(folder)).toMatch(/newer Slipway \(data version 2, this one knows 1\)/);
    expect([statSync(folder).mode & 0o777, readdirSync(folder)]).toEqual([0o755, ["version"]]);
    const other = join(folder, "other");
    mkdirSync(join(other, "postgres"), { recursive: true });
    expect(openDataFolder(other)).toMatch(/--data/);
  });

  test("is refused where nobody can tell its version", () => {
    writeFileSync(join(folder, "version"), "one\n");
    expect(openDataFolder(folder)).toMatch(/version/);
  });

  test("that is a file, or lies below one, is told what to move", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(openDataFolder(file)).toMatch(/file cannot be a folder: there is a file.* --data/);
    expect(openDataFolder(join(file, "below"))).toMatch(/there is a file/);
  });

  test("with a foreign file where a folder of ours belongs names it", () => {
    writeFileSync(join(folder, "version"), "1\n");
    writeFileSync(join(folder, "pids"), "not a folder");
    expect(openDataFolder(folder)).toMatch(/pids is a file, and a folder is needed there. Move the file away/);
    expect(readFileSync(join(folder, "pids"), "utf8")).toBe("not a folder");
  });

  test("with a version that is a folder names it", () => {
    mkdirSync(join(folder, "version"));
    expect(openDataFolder(folder)).toMatch(/version is a folder|is a folder, and a file is needed/);
  });

  test.each([
    ["EACCES", /may not be written by this user/],
    ["EROFS", /mounted read-only/],
    ["ENOSPC", /disk of \/data\/x is full. Make room and start again/],
    ["EDQUOT", /quota/],
  ])("says what %s means and what to do", (code, sentence) => {
    const error = Object.assign(new Error(code), { code, path: "/data/x" });
    expect(folderTrouble(error, "/data")).toMatch(sentence);
    expect(folderTrouble(new Error("a bug"), "/data")).toBeUndefined();
  });

  test("is held by one process at a time", async () => {
    expect(await holdFolder(folder)).toBe(true);
    expect(await holdFolder(folder)).toBe(false);
  });

  test("is wiped only where it says that it is one", async () => {
    writeFileSync(join(folder, "thesis"), "");
    expect(await wipeDataFolder(folder)).toMatch(/left alone/);
    expect(existsSync(join(folder, "thesis"))).toBe(true);
    writeFileSync(join(folder, "version"), "1\n");
    expect(await wipeDataFolder(folder)).toBeUndefined();
    expect(existsSync(folder)).toBe(false);
  });
});

describe("the platform that runs on a folder", () => {
  const note = (pid: number, startTime: string) =>
    pidFiles(join(folder, "pids")).write({ name: "platform", pid, startTime, build: "b", ready: null });

  test("is found with its address", () => {
    const parent = identify(process.ppid);
    if (parent === undefined) throw new Error("there is no parent");
    note(parent.pid, parent.startTime);
    writeEndpoints(folder, { platform: { url: "http://127.0.0.1:7400", port: 7_400 }, regions: {} });
    expect(livePlatform(folder)).toMatchObject({ pid: parent.pid, url: "http://127.0.0.1:7400" });
  });

  test("is nobody once it is dead, or its number went to somebody else", () => {
    note(process.ppid, "1");
    expect(livePlatform(folder)).toBeUndefined();
  });
});

test("endpoints that a crash of the machine cut off are none: ports are chosen anew", () => {
  writeFileSync(join(folder, "endpoints.json"), "");
  expect(readEndpoints(folder)).toEqual({ regions: {} });
  writeFileSync(join(folder, "endpoints.json"), '{"regions": 5}');
  expect(readEndpoints(folder)).toEqual({ regions: {} });
});

test("endpoints are what was written, and none before", () => {
  expect(readEndpoints(folder)).toEqual({ regions: {} });
  const endpoints = { rollback: 5, regions: { here: { api: 1, mesh: 2, admin: 3 } } };
  writeEndpoints(folder, endpoints);
  expect(readEndpoints(folder)).toEqual(endpoints);
  expect(statSync(join(folder, "endpoints.json")).mode & 0o777).toBe(0o600);
});
