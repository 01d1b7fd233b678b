import fc from "fast-check";
import { expect, test } from "vitest";
import { keySegments, prefixSegments } from "./key.ts";
import { InvalidObjectKey } from "./port.ts";

test.each(["builds/B-12/compile.log", "blobs/sha256:0f", "a", "a/b@1+c"])("%s is a key", (key) => {
  expect(keySegments(key).join("/")).toBe(key);
});

test.each(["", "/a", "a/", "a//b", "..", "a/../b", ".tmp/x", "a/.b", "a\0b", "a\\b", "a b", "a~", "x".repeat(201)])(
  "%j is no key",
  (key) => {
    expect(() => keySegments(key)).toThrow(InvalidObjectKey);
  },
);

test("no string at all gives a segment that climbs, hides or holds a separator", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(".", "/", "a", "\\", "\0", "~") })), (key) => {
      let segments: readonly string[] = [];
      try {
        segments = keySegments(key);
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidObjectKey);
      }
      for (const part of segments) expect(part).toMatch(/^[^./\\\0~][^/\\\0~]*$/);
    }),
  );
});

test("a prefix is split where its last segment has only begun", () => {
  expect(prefixSegments("builds/B-1")).toEqual({ folders: ["builds"], begun: "B-1" });
  expect(prefixSegments("builds/")).toEqual({ folders: ["builds"], begun: "" });
  expect(prefixSegments("")).toEqual({ folders: [], begun: "" });
  expect(() => prefixSegments("../x")).toThrow(InvalidObjectKey);
});
