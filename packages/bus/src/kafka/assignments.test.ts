import { silentLogger } from "@slipway/sql";
import { expect, test } from "vitest";
import { type Assignments, assignments } from "./assignments.ts";

const partition = { topic: "orders", partition: 0 };

function watched(): { readonly work: Assignments; readonly asked: string[] } {
  const asked: string[] = [];
  const work = assignments({
    ...{ group: "tests", log: silentLogger, handler: async () => {} },
    committed: async (topic) => {
      asked.push(topic);
      return new Map();
    },
    lease: () => new AbortController().signal,
    steer: () => {},
    commit: async () => {},
  });
  return { work, asked };
}

test("work on a partition begins where the group stands", async () => {
  const { work, asked } = watched();

  work.assign([partition]);

  expect(asked).toEqual(["orders"]);
  await work.end(10, 1_000);
});

test("partitions that are given after the end are not worked on", async () => {
  const { work, asked } = watched();
  await work.end(10, 1_000);

  work.assign([partition]);

  expect(asked).toEqual([]);
});
