import { instant } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import { addAnswer, emptyCounts, exposureBetween, noteTime, requestsWhile } from "./load-counts.ts";

const at = (second: number) => instant(Date.UTC(2026, 0, 1, 0, 0, second));
const ms = (second: number) => Date.parse(at(second));

function counted(answers: readonly (readonly [version: string, second: number, failed?: boolean])[]) {
  const counts = emptyCounts();
  for (const [version, second, failed = false] of answers)
    addAnswer(counts, { version, failed, ms: 12.4, at: at(second) });
  return counts;
}

describe("counting answers", () => {
  test("keeps first, last and first failed answer of each version", () => {
    const { versions } = counted([
      ["a", 1],
      ["b", 2],
      ["b", 3, true],
      ["b", 4, true],
    ]);
    expect(versions.a).toMatchObject({ requests: 1, errors: 0, first_at: at(1), last_at: at(1), first_error_at: null });
    expect(versions.b).toMatchObject({
      requests: 3,
      errors: 2,
      first_at: at(2),
      last_at: at(4),
      first_error_at: at(3),
    });
  });

  test("remembers the slowest answer in whole milliseconds", () => {
    const counts = emptyCounts();
    for (const slow of [3.2, 90.6, 7]) addAnswer(counts, { version: "a", failed: false, ms: slow, at: at(1) });
    expect(counts.versions.a?.slowest_ms).toBe(91);
  });

  test("forgets the oldest moments, not the newest", () => {
    const counts = counted([["a", 1]]);
    for (let i = 0; i < 3_010; i += 1) noteTime(counts, i);
    expect(counts.timeline).toHaveLength(3_000);
    expect(counts.timeline.at(-1)?.[0]).toBe(3_009);
  });
});

describe("requests while a version was served", () => {
  test("are those between its first and its last answer, on straight lines between the noted moments", () => {
    const counts = counted([
      ["bad", 2],
      ["bad", 4],
    ]);
    counts.timeline.push([ms(0), 0], [ms(10), 1_000]);
    expect(requestsWhile(counts, "bad")).toBe(200);
  });

  test("are none for a version that never answered, and for a region that nobody counted", () => {
    expect(requestsWhile(counted([["a", 1]]), "bad")).toBe(0);
    expect(requestsWhile(undefined, "bad")).toBe(0);
  });

  test("end with what was noted last when the version answers still", () => {
    const counts = counted([
      ["bad", 1],
      ["bad", 9],
    ]);
    counts.timeline.push([ms(0), 0], [ms(2), 20]);
    expect(requestsWhile(counts, "bad")).toBe(10);
  });
});

test("what happened between two readings is the difference, in all and on one version", () => {
  const before = { regions: { here: counted([["a", 1, true]]) } };
  const after = {
    regions: {
      here: counted([
        ["a", 1, true],
        ["a", 2],
        ["b", 3, true],
        ["none", 4, true],
      ]),
    },
  };
  const { requests, errors, toVersion, errorsOfVersion } = exposureBetween(before, after, "here", "b");
  expect({ requests, errors, toVersion, errorsOfVersion }).toEqual({
    requests: 3,
    errors: 2,
    toVersion: 1,
    errorsOfVersion: 1,
  });
  expect(exposureBetween(before, after, "elsewhere", "b").requests).toBe(0);
});
