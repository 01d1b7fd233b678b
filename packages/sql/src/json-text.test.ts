import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonText } from "./json-text.ts";

test("what Postgres cannot hold is replaced, at any depth, and nothing else", () => {
  const half = "\u{1F600}".slice(0, 1);

  expect(JSON.parse(jsonText({ a: [`x\0${half}y`], b: "\\u0000 stays" }))).toEqual({
    a: ["x\uFFFD\uFFFDy"],
    b: "\\u0000 stays",
  });
});

test("any other value is written as JSON.stringify writes it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      fc.pre(!JSON.stringify(value).includes("\\u0000"));

      expect(jsonText(value)).toBe(JSON.stringify(value));
    }),
  );
});
