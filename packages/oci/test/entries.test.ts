import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { collectEntries } from "../src/entries.ts";
import { epochStart, makeLayer } from "../src/layer.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "slipway-entries-"));
});
afterEach(() => rm(dir, { recursive: true }));

const collect = (...copy: string[]) => collectEntries({ dir, copy, at: "/app" });

test("what is copied is listed in byte order, each folder before what is in it", async () => {
  await mkdir(join(dir, "dist", "b"), { recursive: true });
  for (const name of ["dist/b/z", "dist/B", "dist/a.js", "package.json", "other"])
    await writeFile(join(dir, name), "x");

  const entries = await collect("dist", "package.json", "dist/a.js");

  expect(entries.map((entry) => entry.name)).toEqual([
    "app",
    "app/dist",
    "app/dist/B",
    "app/dist/a.js",
    "app/dist/b",
    "app/dist/b/z",
    "app/package.json",
  ]);
});

test("what is left out is not there, nor a folder of which nothing is left; an empty one that somebody made is", async () => {
  for (const folder of ["test/deep", "src/test", "empty"]) await mkdir(join(dir, folder), { recursive: true });
  for (const name of ["test/deep/a.js", "src/test/b.js", "src/c.js", "README.md"])
    await writeFile(join(dir, name), "x");
  await symlink("README.md", join(dir, "LIESMICH"));
  const out = ["test/deep/a.js", "src/test/b.js", "README.md", "LIESMICH"];

  const entries = await collectEntries({ dir, copy: ["."], at: "/app", omit: async (path) => out.includes(path) });

  expect(entries.map((entry) => entry.name)).toEqual(["app", "app/empty", "app/src", "app/src/c.js"]);
});

test("a link inside what is copied stays a link", async () => {
  await mkdir(join(dir, "node_modules", ".bin"), { recursive: true });
  await symlink("../tool/cli.js", join(dir, "node_modules", ".bin", "tool"));

  const entries = await collect("node_modules");

  expect(entries.at(-1)).toEqual({ kind: "symlink", name: "app/node_modules/.bin/tool", target: "../tool/cli.js" });
});

test.each<[string, string, () => Promise<void>]>([
  ["climbs out", "../secret", async () => {}],
  ["is absolute", "/etc/passwd", async () => {}],
  ["passes through a link", "out/passwd", () => symlink("/etc", join(dir, "out"))],
  ["is a link that leads out", "out", () => symlink("../../etc/passwd", join(dir, "out"))],
  ["is a link to an absolute path", "out", () => symlink("/etc/passwd", join(dir, "out"))],
  ["is a pipe", "pipe", async () => void execFileSync("mkfifo", [join(dir, "pipe")])],
])("a path that %s is unsafe", async (_, copied, prepare) => {
  await prepare();

  await expect(collect(copied)).rejects.toMatchObject({ kind: "unsafe" });
});

test("a path that the build did not leave is named", async () => {
  await expect(collect("dist")).rejects.toMatchObject({ kind: "not_found", message: expect.stringContaining("dist") });
});

test("a layer is the same file by file and is compressed once for the same content", async () => {
  await writeFile(join(dir, "a"), "x".repeat(200_000));
  const entries = await collect("a");
  const cacheDir = join(dir, "cache");

  const first = await makeLayer({ entries, mtime: epochStart, cacheDir });
  const second = await makeLayer({ entries, mtime: epochStart, cacheDir });
  await rm(cacheDir, { recursive: true });
  const third = await makeLayer({ entries, mtime: epochStart, cacheDir });

  expect(second).toEqual(first);
  expect(third).toEqual(first);
  expect(execFileSync("tar", ["tzf", first.path], { encoding: "utf8" })).toBe("app/\napp/a\n");
});
