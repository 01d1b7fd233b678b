import { expect, test } from "vitest";
import { z } from "zod";
import { unknownFields } from "./unknown-fields.ts";

const Built = z.strictObject({ name: z.string(), image: z.strictObject({ base: z.string() }) });
const Run = z.strictObject({ name: z.string() });
const Answer = z.object({ spec: z.union([Built, Run]) });

const fieldsOf = (value: unknown) => {
  const parsed = Answer.safeParse(value);
  return parsed.success ? [] : unknownFields(parsed.error);
};

test("names what a newer version of a shape has beyond ours, and of a union that of the nearest shape", () => {
  expect(fieldsOf({ spec: { name: "a", image: { base: "b", exclude: [] } } })).toEqual(["spec.image.exclude"]);
  expect(fieldsOf({ spec: { name: "a", kind: "web", owner: "ada" } })).toEqual(["spec.kind", "spec.owner"]);
});

test("is undefined where something else is wrong, too", () => {
  expect(fieldsOf({ spec: { name: 1, image: { base: "b", exclude: [] } } })).toBeUndefined();
  expect(fieldsOf({})).toBeUndefined();
});
