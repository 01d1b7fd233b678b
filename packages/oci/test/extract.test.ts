import { link, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { type Header, pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { extractLayer } from "../src/extract.ts";
import { OciError, type UnpackLimits } from "../src/index.ts";

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-extract-"));
});
afterAll(() => rm(folder, { recursive: true }));

type Item = Partial<Header> & { readonly name: string; readonly content?: string };

const limits: UnpackLimits = { entries: 1_000, bytes: 50_000_000, fileBytes: 10_000_000, layers: 10 };

async function* tarOf(items: readonly Item[]): AsyncGenerator<Uint8Array> {
  const archive = pack();
  for (const { content = "", ...header } of items) archive.entry(header, content);
  archive.finalize();
  for await (const chunk of archive as AsyncIterable<Uint8Array>) yield chunk;
}

/** A sandbox with a root to unpack into and a neighbour that must never change. */
async function sandbox(): Promise<{ root: string; outside: string }> {
  count += 1;
  const root = join(folder, String(count), "root");
  const outside = join(folder, String(count), "outside");
  await mkdir(root, { recursive: true });
  await mkdir(outside);
  await writeFile(join(outside, "precious"), "untouched");
  return { root, outside };
}

async function extract(root: string, tar: AsyncIterable<Uint8Array>, more: Partial<UnpackLimits> = {}): Promise<void> {
  const budget = { entries: 0, bytes: 0 };
  await extractLayer({ tar, root, limits: { ...limits, ...more }, budget, signal: undefined });
}

async function refusal(root: string, tar: AsyncIterable<Uint8Array>, more?: Partial<UnpackLimits>): Promise<string> {
  const error = await extract(root, tar, more).catch((thrown: unknown) => thrown);
  if (error instanceof OciError) return error.kind;
  throw new Error(`not refused: ${String(error)}`);
}

async function tree(root: string, at = ""): Promise<string[]> {
  const found: string[] = [];
  for (const child of (await readdir(join(root, at), { withFileTypes: true })).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const path = join(at, child.name);
    if (child.isDirectory()) found.push(`${path}/`, ...(await tree(root, path)));
    else if (child.isSymbolicLink()) found.push(`${path} -> ${await readlink(join(root, path))}`);
    else found.push(`${path}: ${await readFile(join(root, path), "utf8")}`);
  }
  return found;
}

describe("an archive that tries to leave its folder", () => {
  test.each<[string, Item[]]>([
    ["by ..", [{ name: "../escaped", content: "x" }]],
    ["by .. in the middle", [{ name: "a/../../escaped", content: "x" }]],
    ["by an absolute name", [{ name: "/tmp/escaped", content: "x" }]],
    [
      "by a link to a folder and a file through it",
      [
        { name: "out", type: "symlink", linkname: "/outside" },
        { name: "out/file", content: "x" },
      ],
    ],
    [
      "by a link of two steps",
      [
        { name: "a", type: "symlink", linkname: "b" },
        { name: "b", type: "directory" },
        { name: "a/file", content: "x" },
      ],
    ],
    ["by a link that climbs", [{ name: "out", type: "symlink", linkname: "../outside" }]],
    ["by a hard link outside", [{ name: "stolen", type: "link", linkname: "../outside/precious" }]],
    ["by an absolute hard link", [{ name: "stolen", type: "link", linkname: "/etc/passwd" }]],
    [
      "by a hard link through a symbolic one",
      [
        { name: "out", type: "symlink", linkname: "/etc" },
        { name: "stolen", type: "link", linkname: "out/passwd" },
      ],
    ],
    [
      "by a hard link to a symbolic one",
      [
        { name: "out", type: "symlink", linkname: "/etc/passwd" },
        { name: "stolen", type: "link", linkname: "out" },
      ],
    ],
    ["by a character device", [{ name: "dev", type: "character-device", devmajor: 1, devminor: 1 }]],
    ["by a block device", [{ name: "dev", type: "block-device", devmajor: 8, devminor: 0 }]],
    ["by a pipe", [{ name: "pipe", type: "fifo" }]],
    ["by hiding the folder above", [{ name: "a/.wh...", content: "" }]],
    [
      "by a whiteout through a link",
      [
        { name: "out", type: "symlink", linkname: "/" },
        { name: "out/.wh.precious", content: "" },
      ],
    ],
    ["by a root that is a link", [{ name: "./", type: "symlink", linkname: "/etc" }]],
  ])("%s is unsafe", async (_, items) => {
    const { root, outside } = await sandbox();

    expect(await refusal(root, tarOf(items))).toBe("unsafe");
    expect(await tree(outside)).toEqual(["precious: untouched"]);
  });

  test("whatever it is made of, changes nothing outside", async () => {
    const name = fc
      .array(fc.constantFrom("..", ".", "a", "b", "out", "precious", ".wh.a", ".wh..wh..opq", ".wh...", ""), {
        minLength: 1,
        maxLength: 4,
      })
      .map((parts) => parts.join("/"));
    const item = fc.record({
      name,
      type: fc.constantFrom<NonNullable<Header["type"]>>("file", "directory", "symlink", "link"),
      linkname: fc.oneof(name, fc.constantFrom("/", "../outside", "../outside/precious", "out/precious")),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 8 }), async (items) => {
        const { root, outside } = await sandbox();
        // A lower layer left links that lead out: nothing may be written through them either.
        await symlink(outside, join(root, "out"));
        await extract(root, tarOf(items.filter(({ name: text }) => text !== ""))).catch((error: unknown) => {
          expect(error).toBeInstanceOf(OciError);
        });

        expect(await tree(outside)).toEqual(["precious: untouched"]);
        expect((await readdir(join(root, ".."))).sort()).toEqual(["outside", "root"]);
      }),
      { numRuns: 150 },
    );
  });
});

describe("an archive that is too much", () => {
  const many = (number: number): Item[] => Array.from({ length: number }, (_, n) => ({ name: `f${n}`, content: "x" }));

  test.each<[string, () => AsyncIterable<Uint8Array>, Partial<UnpackLimits>]>([
    ["in entries", () => tarOf(many(20)), { entries: 10 }],
    ["in bytes", () => tarOf([{ name: "a", content: "x".repeat(30_000) }]), { bytes: 10_000 }],
    ["in one file", () => tarOf([{ name: "a", content: "x".repeat(30_000) }]), { fileBytes: 10_000 }],
  ])("%s is refused", async (_, tar, more) => {
    const { root } = await sandbox();

    expect(await refusal(root, tar(), more)).toBe("too_large");
  });

  test("in its headers, which would sit in memory, is invalid", async () => {
    const { root } = await sandbox();

    expect(await refusal(root, tarOf([{ name: "a", pax: { comment: "x".repeat(12_000_000) } }]))).toBe("invalid");
  });

  test("or that ends early, or is none, is invalid", async () => {
    const { root } = await sandbox();
    async function* cut() {
      for await (const chunk of tarOf([{ name: "a", content: "x".repeat(3_000) }])) yield chunk.subarray(0, 1_000);
    }
    async function* noise() {
      yield Buffer.alloc(5_000, "noise");
    }

    expect(await refusal(root, cut())).toBe("invalid");
    expect(await refusal(root, noise())).toBe("invalid");
  });
});

describe("a layer", () => {
  test("hides files and whole folders of the layers below it, and not its own", async () => {
    const { root } = await sandbox();
    await extract(
      root,
      tarOf([
        { name: "etc/keep", content: "1" },
        { name: "etc/drop", content: "1" },
        { name: "data/old", content: "1" },
        { name: "data/sub/old", content: "1" },
      ]),
    );

    await extract(
      root,
      tarOf([
        { name: "data/new", content: "2" },
        { name: "data/sub/new", content: "2" },
        { name: "data/.wh..wh..opq" },
        { name: "etc/.wh.drop" },
      ]),
    );

    expect(await tree(root)).toEqual(["data/", "data/new: 2", "data/sub/", "data/sub/new: 2", "etc/", "etc/keep: 1"]);
  });

  test("replaces files without writing into the bytes they shared", async () => {
    const { root, outside } = await sandbox();
    await link(join(outside, "precious"), join(root, "shared"));

    await extract(root, tarOf([{ name: "shared", content: "replaced" }]));

    expect(await tree(root)).toEqual(["shared: replaced"]);
    expect(await tree(outside)).toEqual(["precious: untouched"]);
  });

  test("replaces a link by a file and a folder by a file", async () => {
    const { root, outside } = await sandbox();
    await symlink(outside, join(root, "a"));
    await mkdir(join(root, "b", "c"), { recursive: true });

    await extract(
      root,
      tarOf([
        { name: "a", content: "1" },
        { name: "b", content: "2" },
      ]),
    );

    expect(await tree(root)).toEqual(["a: 1", "b: 2"]);
    expect(await tree(outside)).toEqual(["precious: untouched"]);
  });

  test("keeps links inside the image and hard links, and drops set-uid and what others may write", async () => {
    const { root } = await sandbox();

    await extract(
      root,
      tarOf([
        { name: "bin/tool", content: "x", mode: 0o4777 },
        { name: "bin/same", type: "link", linkname: "bin/tool" },
        { name: "usr/tool", type: "symlink", linkname: "../bin/tool" },
        { name: "locked", type: "directory", mode: 0o000 },
        { name: "locked/file", content: "y" },
      ]),
    );

    expect((await lstat(join(root, "bin/tool"))).mode & 0o7777).toBe(0o755);
    expect((await lstat(join(root, "bin/same"))).ino).toBe((await lstat(join(root, "bin/tool"))).ino);
    expect(await readlink(join(root, "usr/tool"))).toBe("../bin/tool");
    expect(await readFile(join(root, "locked/file"), "utf8")).toBe("y");
  });
});
