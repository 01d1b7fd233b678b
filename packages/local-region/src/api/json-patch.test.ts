import fc from "fast-check";
import { expect, test } from "vitest";
import { applyJsonPatch, JsonPatch, PatchFailed } from "./json-patch.ts";

const apply = (document: unknown, patch: unknown) => applyJsonPatch(document, JsonPatch.parse(patch));

/** The examples of RFC 6902, appendix A. */
test.each([
  ["A.1", { foo: "bar" }, [{ op: "add", path: "/baz", value: "qux" }], { baz: "qux", foo: "bar" }],
  ["A.2", { foo: ["bar", "baz"] }, [{ op: "add", path: "/foo/1", value: "qux" }], { foo: ["bar", "qux", "baz"] }],
  ["A.3", { baz: "qux", foo: "bar" }, [{ op: "remove", path: "/baz" }], { foo: "bar" }],
  ["A.4", { foo: ["bar", "qux", "baz"] }, [{ op: "remove", path: "/foo/1" }], { foo: ["bar", "baz"] }],
  ["A.5", { baz: "qux" }, [{ op: "replace", path: "/baz", value: "boo" }], { baz: "boo" }],
  [
    "A.6",
    { foo: { bar: "baz", waldo: "fred" }, qux: { corge: "grault" } },
    [{ op: "move", from: "/foo/waldo", path: "/qux/thud" }],
    { foo: { bar: "baz" }, qux: { corge: "grault", thud: "fred" } },
  ],
  [
    "A.7",
    { foo: ["all", "grass", "cows"] },
    [{ op: "move", from: "/foo/1", path: "/foo/2" }],
    { foo: ["all", "cows", "grass"] },
  ],
  [
    "A.10",
    { foo: "bar" },
    [{ op: "add", path: "/child", value: { grandchild: {} } }],
    { foo: "bar", child: { grandchild: {} } },
  ],
  ["A.11", { foo: "bar" }, [{ op: "add", path: "/baz", value: "qux", xyz: 123 }], { foo: "bar", baz: "qux" }],
  ["A.14", { "/": 9, "~1": 10 }, [{ op: "test", path: "/~01", value: 10 }], { "/": 9, "~1": 10 }],
  ["A.16", { foo: ["bar"] }, [{ op: "add", path: "/foo/-", value: ["abc", "def"] }], { foo: ["bar", ["abc", "def"]] }],
  ["whole document", { foo: 1 }, [{ op: "replace", path: "", value: { bar: 2 } }], { bar: 2 }],
  ["copy", { a: { b: 1 } }, [{ op: "copy", from: "/a", path: "/c" }], { a: { b: 1 }, c: { b: 1 } }],
  ["empty name", { "": 1 }, [{ op: "replace", path: "/", value: 2 }], { "": 2 }],
])("%s", (_name, document, patch, expected) => {
  expect(apply(document, patch)).toEqual(expected);
});

test.each([
  ["A.9: a test that fails", { baz: "qux" }, [{ op: "test", path: "/baz", value: "bar" }]],
  ["A.12: a parent that is not there", { foo: "bar" }, [{ op: "add", path: "/baz/bat", value: "qux" }]],
  ["A.15: a number is no text", { "~1": 10 }, [{ op: "test", path: "/~01", value: "10" }]],
  ["an index beyond the end", { a: [1] }, [{ op: "add", path: "/a/2", value: 1 }]],
  ["an index with a leading zero", { a: [1, 2] }, [{ op: "remove", path: "/a/01" }]],
  ["replacing what is not there", {}, [{ op: "replace", path: "/a", value: 1 }]],
  ["removing what is not there", {}, [{ op: "remove", path: "/a" }]],
  ["moving into itself", { a: {} }, [{ op: "move", from: "/a", path: "/a/b" }]],
  ["a name that every object inherits", {}, [{ op: "test", path: "/constructor/name", value: "Object" }]],
])("%s fails the whole patch", (_name, document, patch) => {
  const before = structuredClone(document);

  expect(() => apply(document, [{ op: "add", path: "/x", value: 1 }, ...patch])).toThrow(PatchFailed);
  expect(document).toEqual(before);
});

test.each([
  ["no value", [{ op: "add", path: "/a" }]],
  ["an unknown operation", [{ op: "frob", path: "/a", value: 1 }]],
  ["a path without its slash", [{ op: "remove", path: "a" }]],
  ["no list", { op: "remove", path: "/a" }],
])("%s is no patch", (_name, patch) => {
  expect(JsonPatch.safeParse(patch).success).toBe(false);
});

test("__proto__ is a name like any other", () => {
  const patched = apply({}, [{ op: "add", path: "/__proto__", value: { polluted: true } }]);

  expect(Object.keys(patched as object)).toEqual(["__proto__"]);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test("adding any value under any name makes a test of it hold, and removing it gives the document back", () => {
  const name = fc.string();
  fc.assert(
    fc.property(fc.dictionary(name, fc.jsonValue()), name, fc.jsonValue(), (document, field, value) => {
      fc.pre(!Object.hasOwn(document, field) && field !== "__proto__");
      const path = `/${field.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      const clean = JSON.parse(JSON.stringify({ document, value })) as { document: object; value: unknown };

      const added = apply(clean.document, [
        { op: "add", path, value: clean.value },
        { op: "test", path, value: clean.value },
      ]);

      expect(apply(added, [{ op: "remove", path }])).toEqual(clean.document);
    }),
  );
});
