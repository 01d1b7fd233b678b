import { expect, test } from "vitest";
import { until } from "./until.ts";

test("the value is given as soon as there is one", async () => {
  let asked = 0;
  const value = await until(
    () => {
      asked += 1;
      if (asked === 1) throw new Error("not yet");
      return asked === 3 ? "here" : undefined;
    },
    { what: "the value" },
  );

  expect(value).toBe("here");
});

test("in vain, the error says what was waited for and why the last try failed", async () => {
  const waiting = until(
    () => {
      throw new Error("connection refused");
    },
    { what: "the answer", timeoutMs: 5 },
  );

  await expect(waiting).rejects.toThrow("waited 5 ms in vain: the answer");
  await expect(waiting).rejects.toMatchObject({ cause: { message: "connection refused" } });
});
