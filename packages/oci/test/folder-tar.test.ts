import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Header, pack } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packFolder, unpackFolder } from "../src/index.ts";

const limits = { entries: 100, bytes: 1_000_000, fileBytes: 100_000 };
let dir: string;
let into: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "slipway-folder-"));
  into = join(dir, "into");
  await mkdir(into);
});
afterEach(() => rm(dir, { recursive: true }));

async function* tarOf(
  ...entries: (Partial<Header> & { readonly name: string } & { readonly text?: string })[]
): AsyncGenerator<Uint8Array> {
  const tar = pack();
  for (const { text = "", ...header } of entries) tar.entry(header, text);
  tar.finalize();
  for await (const chunk of tar as AsyncIterable<Uint8Array>) yield chunk;
}

test("a folder comes out as it went in: files with their executable bit, empty folders, links wherever they lead", async () => {
  const from = join(dir, "from");
  await mkdir(join(from, "empty"), { recursive: true });
  await mkdir(join(from, "bin/deep"), { recursive: true });
  await writeFile(join(from, "bin/run"), "#!/bin/sh\n");
  await chmod(join(from, "bin/run"), 0o700);
  await writeFile(join(from, "bin/deep/.wh.kept"), "no whiteout here");
  await symlink("../../somewhere/else", join(from, "bin/out"));
  await writeFile(join(into, "bin"), "was a file before");

  await unpackFolder(packFolder(from), into, limits);

  expect((await readdir(into, { recursive: true })).sort()).toEqual(
    ["bin", "bin/deep", "bin/deep/.wh.kept", "bin/out", "bin/run", "empty"].sort(),
  );
  expect((await lstat(join(into, "bin/run"))).mode & 0o777).toBe(0o755);
  expect((await lstat(join(into, "bin/deep/.wh.kept"))).mode & 0o777).toBe(0o644);
  expect(await readlink(join(into, "bin/out"))).toBe("../../somewhere/else");
});

test("no file is written through a link, neither one of the tar nor one that was there", async () => {
  await mkdir(join(dir, "outside"));
  const through = tarOf({ name: "door", type: "symlink", linkname: "../outside" }, { name: "door/file", text: "in" });

  await expect(unpackFolder(through, into, limits)).rejects.toMatchObject({ kind: "unsafe" });
  await symlink(join(dir, "outside/file"), join(into, "file"));
  await unpackFolder(tarOf({ name: "file", text: "mine" }), into, limits);

  expect(await readdir(join(dir, "outside"))).toEqual([]);
  expect(await readFile(join(into, "file"), "utf8")).toBe("mine");
});

test.each<[string, Partial<Header> & { readonly name: string }]>([
  ["a name that leads out", { name: "../x" }],
  ["an absolute name", { name: "/x" }],
  ["a file in place of the root", { name: "./", type: "symlink", linkname: "x" }],
  ["a device", { name: "dev", type: "character-device" }],
  ["a hard link", { name: "hard", type: "link", linkname: "x" }],
])("%s is refused", async (_what, header) => {
  await expect(unpackFolder(tarOf(header), into, limits)).rejects.toMatchObject({ kind: "unsafe" });
});

test("more than was agreed is refused, and so is a tar that breaks off", async () => {
  const big = tarOf({ name: "big", text: "x".repeat(2_000) });
  await expect(unpackFolder(big, into, { ...limits, bytes: 1_000 })).rejects.toMatchObject({ kind: "too_large" });
  const many = tarOf({ name: "a" }, { name: "b" }, { name: "c" });
  await expect(unpackFolder(many, into, { ...limits, entries: 2 })).rejects.toMatchObject({ kind: "too_large" });
  const broken = async function* () {
    for await (const chunk of tarOf({ name: "a", text: "x".repeat(5_000) })) {
      yield chunk.subarray(0, 600);
      return;
    }
  };
  await expect(unpackFolder(broken(), into, limits)).rejects.toMatchObject({ kind: "invalid" });
});
