import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStepCaches, removeTree } from "../src/index.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-caches-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function places(files: Readonly<Record<string, string>> = {}) {
  const at = await mkdtemp(join(folder, "step-"));
  const found = { workspace: join(at, "workspace"), home: join(at, "home") };
  await mkdir(found.workspace);
  await mkdir(found.home);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(at, path, ".."), { recursive: true });
    await writeFile(join(at, path), text);
  }
  return found;
}

const caches = async (maxBytes = 1_000_000) => {
  const dir = await mkdtemp(join(folder, "kept-"));
  return { dir, ...openStepCaches({ dir, maxBytes }) };
};

const paths = ["deps", "~/.store"];

test("folders of the workspace and of the home come back as copies", async () => {
  const kept = await caches();
  const made = await places({ "workspace/deps/a/b": "one", "home/.store/c": "two" });

  expect(await kept.restore("orders", "k1", paths, made)).toEqual({ kind: "none" });
  expect(await kept.keep("orders", "k1", paths, made)).toEqual({ kind: "kept", bytes: 6 });
  const next = await places();
  expect(await kept.restore("orders", "k1", paths, next)).toEqual({ kind: "restored", bytes: 6 });
  await writeFile(join(next.workspace, "deps/a/b"), "changed");
  const third = await places();
  await kept.restore("orders", "k1", paths, third);

  expect(await readFile(join(third.workspace, "deps/a/b"), "utf8")).toBe("one");
  expect(await readFile(join(third.home, ".store/c"), "utf8")).toBe("two");
  expect(await kept.restore("billing", "k1", paths, await places())).toEqual({ kind: "none" });
});

test("two that keep the same at once leave one whole entry and nothing beside it", async () => {
  const kept = await caches();
  const files = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`workspace/deps/${n}`, "x"]));
  const [one, two] = [await places(files), await places(files)];

  const ends = await Promise.all([kept.keep("orders", "k", paths, one), kept.keep("orders", "k", paths, two)]);

  expect(ends.map(({ kind }) => kind)).toEqual(["kept", "kept"]);
  expect(await readdir(kept.dir)).toEqual(["orders"]);
  const next = await places();
  await kept.restore("orders", "k", paths, next);
  expect(await readdir(join(next.workspace, "deps"))).toHaveLength(50);
});

test("links on the way are never followed, neither out nor in", async () => {
  const kept = await caches();
  const outside = await places({ "workspace/secret": "this machine's" });
  const made = await places({ "home/.store/c": "two" });
  await symlink(outside.workspace, join(made.workspace, "deps"));
  await kept.keep("orders", "k", paths, made);
  const entry = join(kept.dir, "orders", "k", "files");

  expect(await readdir(entry)).toEqual(["1"]);
  const victim = await places();
  await symlink(outside.home, join(victim.home, ".store"));
  const nested = await caches();
  await nested.keep("orders", "k", ["~/.store/deep"], await places({ "home/.store/deep/x": "1" }));
  expect((await nested.restore("orders", "k", ["~/.store/deep"], victim)).kind).toBe("broken");
  expect(await readdir(outside.home)).toEqual([]);
});

test("what is too large or was not made is not kept, and says why", async () => {
  const kept = await caches(5);

  expect(await kept.keep("orders", "k", paths, await places())).toMatchObject({ kind: "not kept" });
  expect(await kept.keep("orders", "k", ["~/.cache/pip"], await places())).toMatchObject({
    reason: "the step left none of ~/.cache/pip; pip keeps only what its index allows it to keep",
  });
  const large = await places({ "workspace/deps/a": "123456" });
  expect(await kept.keep("orders", "k", paths, large)).toMatchObject({
    reason: expect.stringMatching(/over the 5 bytes/),
  });
  expect(await kept.restore("orders", "k", paths, await places())).toEqual({ kind: "none" });
});

test("what was used longest ago makes room for what is kept now", async () => {
  const kept = await caches(10);
  for (const [key, minutes] of [
    ["old", 90],
    ["newer", 60],
  ] as const) {
    await kept.keep("orders", key, paths, await places({ "workspace/deps/a": "1234" }));
    const then = new Date(Date.now() - minutes * 60_000);
    await utimes(join(kept.dir, "orders", key, "note.json"), then, then);
  }

  await kept.keep("billing", "now", paths, await places({ "workspace/deps/a": "1234" }));

  expect(await readdir(join(kept.dir, "orders"))).toEqual(["newer"]);
});

test("what is dropped makes way for what fits, under the same key and of that service alone", async () => {
  const kept = await caches();
  for (const service of ["orders", "billing"])
    await kept.keep(service, "k", paths, await places({ "workspace/deps/a": "broken" }));

  await kept.drop("orders", "k");
  await kept.drop("orders", "never-kept");
  await kept.keep("orders", "k", paths, await places({ "workspace/deps/a": "whole" }));
  await kept.keep("billing", "k", paths, await places({ "workspace/deps/a": "whole" }));

  const [mine, theirs] = [await places(), await places()];
  await kept.restore("orders", "k", paths, mine);
  await kept.restore("billing", "k", paths, theirs);
  expect(await readFile(join(mine.workspace, "deps/a"), "utf8")).toBe("whole");
  expect(await readFile(join(theirs.workspace, "deps/a"), "utf8")).toBe("broken");
  expect((await readdir(kept.dir)).sort()).toEqual(["billing", "orders"]);
});

test("folders that may not be written to are removed all the same", async () => {
  const at = await mkdtemp(join(folder, "modules-"));
  await mkdir(join(at, "mod/inner"), { recursive: true });
  await writeFile(join(at, "mod/inner/file"), "x");
  await chmod(join(at, "mod/inner"), 0o555);
  await chmod(join(at, "mod"), 0o555);

  await removeTree(at);

  expect(await readdir(folder)).not.toContain(at.slice(folder.length + 1));
});
