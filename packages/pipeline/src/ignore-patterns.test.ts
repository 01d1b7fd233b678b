import fc from "fast-check";
import { expect, test } from "vitest";
import { ignoring, patternsOf } from "./ignore-patterns.ts";

test.each([
  ["README.md", ["README.md"], ["docs/README.md", "README.mdx"]],
  ["/README*", ["README.md", "README"], ["docs/README.md"]],
  ["test", ["test", "test/a.js", "test/deep/b.js"], ["src/test/a.js", "testing/a.js"]],
  ["test/", ["test/a.js"], ["tests/a.js"]],
  ["**/*.test.js", ["a.test.js", "src/a.test.js", "src/deep/a.test.js"], ["src/test.js", "a.test.ts"]],
  ["**/__tests__", ["__tests__/a.js", "src/__tests__/a.js"], ["src/tests/a.js"]],
  ["docs/**", ["docs/a.md", "docs/b/c.md"], ["doc/a.md"]],
  [".git*", [".gitignore", ".github/workflows/ci.yml"], ["src/.gitignore", "git"]],
  ["*", ["a", ".env", "src/a.js"], []],
  ["*/temp*", ["a/temporary.txt", "a/temp/b"], ["temp", "a/b/temp"]],
  ["file?.[jt]s", ["file1.js", "file2.ts"], ["file.js", "file10.js", "file1.cs"]],
  ["a\\*b", ["a*b"], ["axb"]],
  ["a+(b).c", ["a+(b).c"], ["aab.c"]],
  ["[", ["["], ["a"]],
])("%s names what Docker's does", (pattern, named, others) => {
  const ignored = ignoring([pattern]);

  expect([...named, ...others].filter(ignored)).toEqual(named);
});

test("the last pattern that fits decides, so that ! takes back what was named before it, and only that", () => {
  const ignored = ignoring(["*.md", "!README*.md", "README-secret.md", "*/**", "!src", "src/old"]);

  expect(ignored("NOTES.md")).toBe(true);
  expect(ignored("README.md")).toBe(false);
  expect(ignored("README-secret.md")).toBe(true);
  expect(ignored("src/app.js")).toBe(false);
  expect(ignored("src/old/app.js")).toBe(true);
});

test("empty lines and comments of a .dockerignore are none", () => {
  expect(patternsOf("# what builds leave\r\n\nnode_modules\r\n  dist  \n")).toEqual(["node_modules", "dist"]);
  expect(ignoring(["", "/", ".", "!"])("a")).toBe(false);
});

test("no pattern whatever makes it throw", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab*?[]^-!\\/.{}()+$| ") }), fc.string(), (pattern, path) => {
      expect(typeof ignoring([pattern])(path)).toBe("boolean");
    }),
  );
});
