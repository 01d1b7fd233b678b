import { describe, expect, test } from "vitest";
import type { Connection } from "../src/connection.ts";
import type { PatchOperation } from "../src/json-patch.ts";
import type { Target } from "../src/port.ts";
import { actors, fenceScenario, followScenario, freshTarget, prepareVersions } from "./support/fence-world.ts";
import { type Actor, exploreAll } from "./support/interleavings.ts";
import { MemoryApi } from "./support/memory-api.ts";

/** Every order of the requests of these actors over objects in memory; `faults` requests go wrong in every possible way. */
async function explore(
  actorsOf: (target: Target) => readonly Actor[],
  faults: number,
  through: (connection: Connection) => Connection = (connection) => connection,
) {
  const prepared = new MemoryApi();
  await prepareVersions(prepared.connection());
  const target = await freshTarget(prepared.connection(), 1);
  return exploreAll(
    () => fenceScenario(through(prepared.copy().connection()), target, actorsOf(target), { honest: faults === 0 }),
    { faults, most: 200_000 },
  );
}

describe("after a lowering nothing of its epoch takes hold, in every order of", () => {
  test("a raise and the lowering, with any one or two requests late, lost or refused", async () => {
    const explored = await explore((target) => [actors.raise(target, 25), actors.lower(target)], 2);

    expect(explored.runs).toBeGreaterThan(50);
  });

  test("a raise and a lowering over what the watch told before, with any one request late, lost or refused", async () => {
    const explored = await explore((target) => [actors.raise(target, 25), actors.lowerTold(target)], 1);

    expect(explored.runs).toBeGreaterThan(10);
  });

  test("a lowering over what the watch told before, and the next deployment with a raise of its own", async () => {
    const explored = await explore((target) => [actors.lowerTold(target), actors.openAndRaise(target)], 0);

    expect(explored.runs).toBeGreaterThan(2);
  });

  test("two raises and the lowering", async () => {
    const explored = await explore(
      (target) => [actors.raise(target, 25), actors.raise(target, 50), actors.lower(target)],
      0,
    );

    expect(explored.runs).toBeGreaterThan(10);
  });

  test("a raise, the lowering and a new grant, with any one request late, lost or refused", async () => {
    const explored = await explore(
      (target) => [actors.raise(target, 25), actors.lower(target), actors.open(target)],
      1,
    );

    expect(explored.runs).toBeGreaterThan(200);
  });

  test("two raises, the lowering and a new grant", async () => {
    const explored = await explore(
      (target) => [actors.raise(target, 25), actors.raise(target, 50), actors.lower(target), actors.open(target)],
      0,
    );

    expect(explored.runs).toBeGreaterThan(150);
  });

  test("a raise, the lowering and the next deployment with a raise of its own", async () => {
    const explored = await explore(
      (target) => [actors.raise(target, 25), actors.lower(target), actors.openAndRaise(target)],
      0,
    );

    expect(explored.runs).toBeGreaterThan(25);
  });
});

test("a base Service that was about to follow the canary does not select it after the lowering, in any order", async () => {
  const prepared = new MemoryApi();
  await prepareVersions(prepared.connection());
  const target = await freshTarget(prepared.connection(), 1);

  const explored = await exploreAll(() => followScenario(prepared.copy().connection(), target), {
    faults: 1,
    most: 50_000,
  });

  expect(explored.runs).toBeGreaterThan(50);
});

describe("the search finds what is wrong when", () => {
  test("a raise does not test the resourceVersion", async () => {
    const careless = without(({ op, path }) => op === "test" && path === "/metadata/resourceVersion");

    await expect(explore((target) => [actors.raise(target, 25), actors.lower(target)], 0, careless)).rejects.toThrow(
      /after: .*raise to 25/,
    );
  });

  test("a lowering does not test the fence", async () => {
    const careless = without(({ op, path }) => op === "test" && path.endsWith("slipway.dev~1fence"));

    await expect(explore((target) => [actors.lower(target), actors.openAndRaise(target)], 0, careless)).rejects.toThrow(
      /after: /,
    );
  });

  test("weights and fence are not written together", async () => {
    const careless = without(({ path }) => path.endsWith("slipway.dev~1fence"));

    await expect(explore((target) => [actors.raise(target, 25), actors.lower(target)], 0, careless)).rejects.toThrow(
      /after: /,
    );
  });
});

/** A connection that leaves operations out of every JSON patch. */
function without(left: (operation: PatchOperation) => boolean) {
  return (connection: Connection): Connection => ({
    ...connection,
    request: (method, path, options = {}) => {
      const body = Array.isArray(options.body)
        ? (options.body as PatchOperation[]).filter((operation) => !left(operation))
        : options.body;
      return connection.request(method, path, { ...options, body });
    },
  });
}
