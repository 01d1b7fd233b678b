import { mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { objectsContract } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fileObjects } from "../src/index.ts";

let parent: string;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), "slipway-objects-"));
});
afterAll(async () => {
  await rm(parent, { recursive: true, force: true });
});

async function emptyRoot(): Promise<string> {
  return join(await mkdtemp(join(parent, "store-")), "objects");
}

describe("objects on the file system", () => {
  objectsContract(async () => {
    const root = await emptyRoot();
    return { objects: fileObjects({ root }), again: async () => fileObjects({ root }) };
  });
});

test("a place that is no folder is a problem with a remedy", async () => {
  const root = await emptyRoot();
  await writeFile(root, "a file");

  expect(await fileObjects({ root }).problem()).toMatch(/cannot be kept in .*EEXIST.*SLIPWAY_OBJECTS_URL/);
});

test("files and folders are for their owner alone, and no draft stays behind", async () => {
  const root = await emptyRoot();
  const objects = fileObjects({ root });

  await objects.put("builds/B-1/log", Buffer.from("secret"));

  expect((await stat(join(root, "builds/B-1"))).mode & 0o077).toBe(0);
  expect((await stat(join(root, "builds/B-1/log~"))).mode & 0o077).toBe(0);
  expect(await readdir(join(root, ".tmp"))).toEqual([]);
});

test("a folder of the store that is a link elsewhere lists nothing of that place", async () => {
  const root = await emptyRoot();
  const objects = fileObjects({ root });
  await objects.put("mine", Buffer.from("x"));
  await symlink("/etc", join(root, "etc"));

  expect((await objects.list("")).map((object) => object.key)).toEqual(["mine"]);
});

test("what a killed writer left is removed a day later, what one writes now is not", async () => {
  const root = await emptyRoot();
  const drafts = join(root, ".tmp");
  await mkdir(drafts, { recursive: true });
  for (const name of ["old", "young"]) await writeFile(join(drafts, name), "half");
  const dayAgo = Date.now() / 1000 - 90_000;
  await utimes(join(drafts, "old"), dayAgo, dayAgo);

  await fileObjects({ root }).put("log", Buffer.from("x"));

  expect(await readdir(drafts)).toEqual(["young"]);
});
