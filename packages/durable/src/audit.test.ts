import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson } from "./audit.ts";

test("the order of keys does not change the text, the order of a list does", () => {
  expect(canonicalJson({ b: [2, 1], a: { d: null, c: "x" } })).toBe('{"a":{"c":"x","d":null},"b":[2,1]}');
});

test("different values have different texts, and the text is JSON for the value", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      const [a, b] = [JSON.stringify(one), JSON.stringify(other)].map((text) => JSON.parse(text) as unknown);
      expect(JSON.parse(canonicalJson(a))).toEqual(a);
      expect(canonicalJson(a) === canonicalJson(b)).toBe(isSame(a, b));
    }),
  );
});

function isSame(one: unknown, other: unknown): boolean {
  try {
    expect(one).toStrictEqual(other);
    return true;
  } catch {
    return false;
  }
}
