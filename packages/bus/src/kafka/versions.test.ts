import { expect, test } from "vitest";
import { type SpokenVersions, versionsProblem } from "./versions.ts";

const address = { shown: "one:9092" };
/** Of the kind that brokers of Kafka 4 say, about what is asked for here. */
const today: SpokenVersions = Object.fromEntries(
  [
    ...[
      [0, 0, 13],
      [1, 4, 18],
      [2, 1, 11],
      [3, 0, 13],
      [8, 2, 10],
      [9, 1, 10],
      [10, 0, 6],
      [11, 0, 9],
      [12, 0, 4],
    ],
    ...[
      [13, 0, 5],
      [14, 0, 5],
      [19, 2, 7],
      [22, 0, 6],
    ],
  ].map(([key, minVersion, maxVersion]) => [key, { minVersion, maxVersion }]),
) as SpokenVersions;

test("brokers that speak all that is needed are of use", () => {
  expect(versionsProblem(today, address)).toBeUndefined();
});

test.each([
  [
    "too old a version of a request",
    { ...today, 1: { minVersion: 0, maxVersion: 3 } },
    "Kafka at one:9092 is too old (it speaks Fetch up to version 3, not 4): upgrade it to 0.11 or newer, or name another in SLIPWAY_BUS_URL",
  ],
  [
    "a request that is missing",
    Object.fromEntries(Object.entries(today).filter(([key]) => key !== "22")),
    "Kafka at one:9092 is too old (it knows no InitProducerId): upgrade it to 0.11 or newer, or name another in SLIPWAY_BUS_URL",
  ],
  [
    "newer versions only",
    { ...today, 0: { minVersion: 9, maxVersion: 20 } },
    "Kafka at one:9092 is too new (it speaks Produce from version 9 on, Slipway up to 7): upgrade Slipway, or name another in SLIPWAY_BUS_URL",
  ],
])("%s is told with what to do", (_, spoken, sentence) => {
  expect(versionsProblem(spoken, address)).toBe(sentence);
});
