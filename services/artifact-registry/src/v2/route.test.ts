import fc from "fast-check";
import { expect, test } from "vitest";
import { OciProblem } from "./errors.ts";
import { parseRoute } from "./route.ts";

const digest = `sha256:${"a".repeat(64)}`;

test.each([
  ["", { kind: "base" }],
  [`a/b/c/blobs/${digest}`, { kind: "blob", repository: "a/b/c", digest }],
  [`a/blobs/${encodeURIComponent(digest)}`, { kind: "blob", repository: "a", digest }],
  ["a/blobs/uploads/", { kind: "uploads", repository: "a" }],
  ["a/blobs/uploads", { kind: "uploads", repository: "a" }],
  ["a/manifests/v1.0", { kind: "manifest", repository: "a", reference: "v1.0" }],
  [`blobs/manifests/${digest}`, { kind: "manifest", repository: "blobs", reference: digest }],
  ["a/b/tags/list", { kind: "tags", repository: "a/b" }],
  [`a/referrers/${digest}`, { kind: "referrers", repository: "a", digest }],
] as const)("%s is read from its end", (path, route) => {
  expect(parseRoute(path)).toEqual(route);
});

test.each([
  ["A/tags/list", "NAME_INVALID"],
  ["../tags/list", "NAME_INVALID"],
  ["a/blobs/sha256:abc", "DIGEST_INVALID"],
  [`a/blobs/${digest}x`, "DIGEST_INVALID"],
  ["a/blobs/uploads/not-ours", "BLOB_UPLOAD_UNKNOWN"],
  ["a/manifests/-x", "TAG_INVALID"],
  ["%E0%A4%A/tags/list", "NAME_INVALID"],
])("%s is %s", (path, code) => {
  expect(() => parseRoute(path)).toThrow(expect.objectContaining({ code }));
});

test("whatever a path is made of, a route names only what is safe to keep and to look up", () => {
  const piece = fc.oneof(
    fc.constantFrom("..", ".", "a", "A", "blobs", "uploads", "manifests", "tags", "list", "%2e%2e", "%2f", digest),
    fc.string({ maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      let route: ReturnType<typeof parseRoute>;
      try {
        route = parseRoute(pieces.join("/"));
      } catch (error) {
        expect(error).toBeInstanceOf(OciProblem);
        return;
      }
      if (route === undefined || route.kind === "base") return;
      expect(route.repository).toMatch(/^[a-z0-9]([a-z0-9._/-]*[a-z0-9])?$/);
      expect(route.repository).not.toContain("..");
    }),
    { numRuns: 1_000 },
  );
});
