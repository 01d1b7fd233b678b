import { seededRandom } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Connection } from "../src/connection.ts";
import type { Target } from "../src/port.ts";
import { actors, fenceScenario, freshTarget, prepareVersions } from "./support/fence-world.ts";
import { type Actor, exploreAll, exploreSome } from "./support/interleavings.ts";
import { type LocalApi, localApi } from "./support/local-api.ts";

let api: LocalApi;
let connection: Connection;
let number = 0;

beforeAll(async () => {
  api = await localApi();
  connection = await api.open();
  await prepareVersions(connection);
});
afterAll(async () => {
  await api.close();
});

/** The same search as over objects in memory, each order over https against the API server; every run a new service. */
async function explore(actorsOf: (target: Target) => readonly Actor[], faults: number) {
  return exploreAll(
    async () => {
      number += 1;
      const target = await freshTarget(connection, number);
      return fenceScenario(connection, target, actorsOf(target), { honest: faults === 0 });
    },
    { faults, most: 2_000 },
  );
}

describe("against the API of a local region nothing of a lowered epoch takes hold, in every order of", () => {
  test("a raise, the lowering and a new grant", async () => {
    const explored = await explore(
      (target) => [actors.raise(target, 25), actors.lower(target), actors.open(target)],
      0,
    );

    expect(explored.runs).toBeGreaterThan(30);
  });

  test("a raise and the lowering with one request late, lost or refused", async () => {
    const explored = await explore((target) => [actors.raise(target, 25), actors.lower(target)], 1);

    expect(explored.runs).toBeGreaterThan(30);
  });

  test("many drawn at random of two raises, the lowering and the next deployment, with two requests gone wrong", async () => {
    const { next } = seededRandom(4);
    await exploreSome(
      async () => {
        number += 1;
        const target = await freshTarget(connection, number);
        const all = [
          actors.raise(target, 25),
          actors.raise(target, 50),
          actors.lower(target),
          actors.openAndRaise(target),
        ];
        return fenceScenario(connection, target, all, { honest: false });
      },
      { faults: 2, runs: 100, random: next },
    );
  });
});
