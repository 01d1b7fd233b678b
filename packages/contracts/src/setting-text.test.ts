import { expect, test } from "vitest";
import { z } from "zod";
import { settingText } from "./issue-text.ts";

const Setting = z.strictObject({
  url: z.url().default("http://h"),
  level: z.enum(["debug", "info"]).default("info"),
  count: z.coerce.number().int().min(1).max(9).default(1),
  name: z
    .string()
    .regex(/^[a-z]+$/)
    .default("n"),
  list: z.array(z.string()).default([]),
  share: z.coerce.number().positive().lt(1).default(0.5),
});

test.each([
  [{ url: "hunter2" }, "must be a whole URL that begins with http:// or https://"],
  [{ level: "hunter2" }, 'must be one of "debug", "info"'],
  [{ level: "inof" }, 'must be one of "debug", "info", did you mean "info"?'],
  [{ count: "hunter2" }, "must be a number"],
  [{ count: "12" }, "must be at most 9"],
  [{ share: "0" }, "must be more than 0"],
  [{ share: "1" }, "must be less than 1"],
  [{ name: "hunter2" }, "has not the form that is expected here"],
  [{ list: "hunter2" }, "must be a list"],
  [{ nmae: "hunter2" }, 'unknown key "nmae", did you mean "name"?'],
])("of %o it is said that it %s, and the value is not quoted", (setting, sentence) => {
  const parsed = Setting.safeParse(setting, { error: settingText });

  expect(parsed.error?.issues.map(({ message }) => message)).toEqual([sentence]);
});
