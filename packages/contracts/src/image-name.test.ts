import fc from "fast-check";
import { expect, test } from "vitest";
import { ImageBaseSchema, ImageNameSchema, readImageName } from "./image-name.ts";

const pinned = `sha256:${"0a".repeat(32)}`;

test.each([
  ["node:24", "docker.io", "library/node", "24", undefined],
  ["me/tools:1.2", "docker.io", "me/tools", "1.2", undefined],
  [`docker.io/library/python:3.13@${pinned}`, "docker.io", "library/python", "3.13", pinned],
  [`docker.io/python@${pinned}`, "docker.io", "library/python", undefined, pinned],
  ["127.0.0.1:7400/orders:v1", "127.0.0.1:7400", "orders", "v1", undefined],
  ["localhost/a/b:c", "localhost", "a/b", "c", undefined],
  ["ghcr.io/me/tools:1", "ghcr.io", "me/tools", "1", undefined],
  ["[::1]:5000/x:y", "[::1]:5000", "x", "y", undefined],
])("%s is read as Docker reads it", (text, host, repository, tag, digest) => {
  expect(readImageName(text)).toEqual({ host, repository, tag, digest });
});

test.each([
  "node",
  "Node:24",
  "node:",
  "node:24@sha256:12",
  "https://docker.io/node:24",
  "-x.y/z:1",
  "a b:1",
  "",
  "node@",
])("%s is no image", (text) => {
  expect(ImageNameSchema.safeParse(text).success).toBe(false);
});

test("an image is named by its tag or digest, and the error says so", () => {
  const { error } = ImageNameSchema.safeParse("node");

  expect(error?.issues[0]?.message).toContain("with its tag or digest");
});

test("a base is one that the platform makes, or an image", () => {
  for (const base of ["node24", "python3", "static", "python:3.13"])
    expect(ImageBaseSchema.safeParse(base).success).toBe(true);
  const said = (base: string) => ImageBaseSchema.safeParse(base).error?.issues[0]?.message;
  expect(said("node22")).toContain(
    'neither node24, python3, static nor an image of a registry, did you mean "node24"?',
  );
  expect(said("pyton3")).toContain('did you mean "python3"?');
  expect(said("debian")).toMatch(/nor an image of a registry: write it with its tag/);
});

test("no text whatever makes the reader throw, and what it reads it reads again", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z.:/@_-]{1,40}$/)), (text) => {
      const read = readImageName(text);
      if (read === undefined) return;
      const tag = read.tag === undefined ? "" : `:${read.tag}`;
      const digest = read.digest === undefined ? "" : `@${read.digest}`;
      expect(readImageName(`${read.host}/${read.repository}${tag}${digest}`)).toEqual(read);
    }),
  );
});
