import { cacheContract } from "@slipway/testkit";
import { describe, expect, test } from "vitest";
import { memoryCache } from "../src/index.ts";

describe("a cache in memory", () => {
  cacheContract((keepMs) => {
    const cache = memoryCache({ keepMs });
    return { cache, elsewhere: cache };
  });

  test("holds so many subjects and no more: those that were looked for first go first", async () => {
    const cache = memoryCache({ keepMs: 3_600_000, subjects: 3 });
    for (const subject of ["a", "b", "c", "d"]) {
      const { edition } = (await cache.look(subject, "who"))!;
      await cache.keep(subject, edition, "who", subject);
    }

    const found = [];
    for (const subject of ["d", "c", "b"]) found.push((await cache.look(subject, "who"))?.answer);
    expect(found).toEqual(["d", "c", "b"]);
    expect((await cache.look("a", "who"))?.answer).toBeNull();
  });

  test("holds so many answers about one subject and no more", async () => {
    const cache = memoryCache({ keepMs: 3_600_000 });
    const { edition } = (await cache.look("a", ""))!;
    for (let number = 0; number < 200; number += 1) await cache.keep("a", edition, `question ${number}`, "x");

    const kept = [];
    for (let number = 0; number < 200; number += 1) kept.push((await cache.look("a", `question ${number}`))?.answer);
    expect(kept.filter((answer) => answer === "x")).toHaveLength(100);
  });
});
