import { describe, expect, test } from "vitest";
import { z } from "zod";
import { issueText } from "./issue-text.ts";
import { wholeNumber, wholeParameter } from "./whole-number.ts";

function said(schema: z.ZodType, given: unknown): string | undefined {
  const parsed = schema.safeParse(given, { error: issueText });
  return parsed.success ? undefined : parsed.error.issues.map(({ message }) => message).join("; ");
}

describe("a whole number in a range", () => {
  test.each([
    [0, "0"],
    [101, "101"],
    [4.5, "4.5"],
    ["5", '"5"'],
    ["many", '"many"'],
    [null, "null"],
    [[1], "a list"],
  ])("%j is told the range and what was given, in one sentence", (given, shown) => {
    expect(said(wholeNumber(1, 100), given)).toBe(`must be a whole number from 1 to 100, not ${shown}`);
  });

  test("is taken at both ends, and missed by the same range", () => {
    expect([1, 100].map((given) => said(wholeNumber(1, 100), given))).toEqual([undefined, undefined]);
    expect(said(z.object({ n: wholeNumber(1, 100) }), {})).toBe("is missing; it takes a whole number from 1 to 100");
  });

  test("of a query is read from its text, and the text is what is named", () => {
    expect(wholeParameter(1, 500).prefault(50).parse("12")).toBe(12);
    expect(wholeParameter(1, 500).prefault(50).parse(undefined)).toBe(50);
    expect(said(wholeParameter(1, 500), "many")).toBe('must be a whole number from 1 to 500, not "many"');
    expect(said(wholeParameter(1, 500), "")).toBe('must be a whole number from 1 to 500, not ""');
    expect(said(wholeParameter(1, 500), "501")).toBe("must be a whole number from 1 to 500, not 501");
  });

  test("is described as one to who reads the API's document", () => {
    expect(z.toJSONSchema(wholeParameter(1, 500).prefault(50), { io: "input" })).toMatchObject({
      ...{ type: "integer", minimum: 1, maximum: 500, default: 50 },
    });
  });
});
