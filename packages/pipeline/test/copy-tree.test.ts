import { chmod, lstat, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { copyTree } from "../src/copy-tree.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-copy-"));
  await mkdir(join(folder, "from"));
  await mkdir(join(folder, "to"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("files are laid over what is there, with the executable bit as the only mode", async () => {
  await writeFile(join(folder, "from", "run"), "new", { mode: 0o700 });
  await writeFile(join(folder, "from", "read"), "new", { mode: 0o600 });
  await writeFile(join(folder, "to", "run"), "old");
  await writeFile(join(folder, "to", "kept"), "kept");

  await copyTree(join(folder, "from"), join(folder, "to"));

  expect(await readFile(join(folder, "to", "run"), "utf8")).toBe("new");
  expect(await readFile(join(folder, "to", "kept"), "utf8")).toBe("kept");
  expect((await lstat(join(folder, "to", "run"))).mode & 0o777).toBe(0o755);
  expect((await lstat(join(folder, "to", "read"))).mode & 0o777).toBe(0o644);
});

test("a link that one step left is never written through for another one", async () => {
  await mkdir(join(folder, "victim"));
  await writeFile(join(folder, "victim", "keys"), "the platform's");
  await symlink(join(folder, "victim"), join(folder, "to", "sub"));
  await mkdir(join(folder, "from", "sub"));
  await writeFile(join(folder, "from", "sub", "keys"), "the step's");
  await symlink(join(folder, "victim", "keys"), join(folder, "to", "file"));
  await writeFile(join(folder, "from", "file"), "the step's");

  await copyTree(join(folder, "from"), join(folder, "to"));

  expect(await readFile(join(folder, "victim", "keys"), "utf8")).toBe("the platform's");
  expect(await readFile(join(folder, "to", "sub", "keys"), "utf8")).toBe("the step's");
  expect((await lstat(join(folder, "to", "file"))).isFile()).toBe(true);
});

test("links are copied as links, and a tree may replace a file", async () => {
  await symlink("/etc/shadow", join(folder, "from", "link"));
  await mkdir(join(folder, "from", "was-file"));
  await writeFile(join(folder, "to", "was-file"), "a file");
  await chmod(join(folder, "to"), 0o700);

  await copyTree(join(folder, "from"), join(folder, "to"));

  expect(await readlink(join(folder, "to", "link"))).toBe("/etc/shadow");
  expect((await lstat(join(folder, "to", "was-file"))).isDirectory()).toBe(true);
});
