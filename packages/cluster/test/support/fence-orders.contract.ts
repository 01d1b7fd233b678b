import { seededRandom } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Connection, RequestOptions } from "../../src/connection.ts";
import { RegionUnavailable } from "../../src/errors.ts";
import type { RegionCluster, Target } from "../../src/port.ts";
import { regionOver } from "../../src/region.ts";
import { actors, environment, fenceScenario, freshTarget, grant, prepareVersions, v1, v2 } from "./fence-world.ts";
import { type Actor, exploreAll, exploreSome } from "./interleavings.ts";
import { silent } from "./silent.ts";

export type FenceOrdersWorld = {
  /** As Slipway reaches the region. */
  readonly connection: Connection;
  /** As somebody who may do anything there. */
  readonly admin: Connection;
  close(): Promise<void>;
};

const to25 = { ...grant(2), baseline: v1, canary: v2, percent: 25, exposure: { production: true, proven: true } };
const back = { ...grant(2), baseline: v1, canary: v2 };
const pathOf = ({ service }: Target) =>
  `/apis/networking.istio.io/v1/namespaces/${environment}/virtualservices/${service}`;

/** The fence in the face of requests that are late, lost, refused or made at once, over a real API; every run has a service of its own. */
export function fenceOrdersContract(start: () => Promise<FenceOrdersWorld>): void {
  let world: FenceOrdersWorld;
  let number = 0;

  beforeAll(async () => {
    world = await start();
    await prepareVersions(world.admin);
  });
  afterAll(() => world.close());

  function nextTarget(): Promise<Target> {
    number += 1;
    return freshTarget(world.connection, number);
  }

  async function scenario(actorsOf: (target: Target) => readonly Actor[], honest: boolean) {
    const target = await nextTarget();
    return fenceScenario(world.connection, target, actorsOf(target), { honest });
  }

  /** The same search as over objects in memory. */
  const explore = (actorsOf: (target: Target) => readonly Actor[], faults: number) =>
    exploreAll(() => scenario(actorsOf, faults === 0), { faults, most: 2_000 });

  describe("nothing of a lowered epoch takes hold, in every order of", () => {
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
      const all = (target: Target) => [
        actors.raise(target, 25),
        actors.raise(target, 50),
        actors.lower(target),
        actors.openAndRaise(target),
      ];
      // A soak draws more.
      const runs = 40 * Number(process.env.SLIPWAY_TEST_CASES_FACTOR ?? 1);
      await exploreSome(() => scenario(all, false), { faults: 2, runs, random: next });
    });
  });

  /** The region with its writes to VirtualServices sent by other means. */
  function through(patch: (path: string, options: RequestOptions) => Promise<unknown>): RegionCluster {
    const name = "us-east-1" as RegionCluster["name"];
    const over: Connection = {
      region: name,
      lines: (path, query, signal) => world.connection.lines(path, query, signal),
      close: () => world.connection.close(),
      request: (method, path, options = {}) =>
        method === "PATCH" && path.includes("/virtualservices/")
          ? patch(path, options)
          : world.connection.request(method, path, options),
    };
    return regionOver(over, { name, log: silent, requestTimeoutMs: 5_000, lowerDeadlineMs: 20_000 });
  }
  const send = (path: string, options: RequestOptions) => world.connection.request("PATCH", path, options);
  const timeOut = () =>
    new RegionUnavailable("us-east-1", "no answer", { cause: new DOMException("no answer", "TimeoutError") });

  describe("the API itself", () => {
    test("answers 422 to a raise that arrives after the lowering, and nothing of it takes hold", async () => {
      const target = await nextTarget();
      let late: { path: string; options: RequestOptions } | undefined;
      const losing = through(async (path, options) => {
        late = { path, options };
        throw timeOut();
      });
      expect(await losing.raise(target, to25)).toMatchObject({ kind: "refused", why: "conflict" });
      const region = through(send);
      const lowered = await region.lower(target, back);

      await expect(send(late?.path ?? "", late?.options ?? {})).rejects.toMatchObject({ status: 422 });

      const after = await region.readTraffic(target);
      expect(lowered).toEqual({ kind: "shut", seq: after.fence?.seq });
      expect(after).toMatchObject({ fence: { gate: "shut" }, weights: { [v1]: 100, [v2]: 0 } });
    });

    test("shows a write whose answer was lost to the next reading", async () => {
      const target = await nextTarget();
      const region = through(async (path, options) => {
        await send(path, options);
        throw timeOut();
      });

      expect(await region.raise(target, to25)).toMatchObject({ kind: "raised" });
      expect(await region.lower(target, back)).toMatchObject({ kind: "shut" });
      expect((await region.readTraffic(target)).weights).toMatchObject({ [v1]: 100, [v2]: 0 });
    });

    test("lets one of two raises stand that were decided over the same object", async () => {
      const target = await nextTarget();
      let arrived = 0;
      let open = () => {};
      const both = new Promise<void>((resolve) => {
        open = resolve;
      });
      const region = through(async (path, options) => {
        arrived += 1;
        if (arrived === 2) open();
        await both;
        return send(path, options);
      });

      const results = await Promise.all([region.raise(target, to25), region.raise(target, { ...to25, percent: 50 })]);

      expect(results.map(({ kind }) => kind).sort()).toEqual(["raised", "refused"]);
      expect(results.find(({ kind }) => kind === "refused")).toMatchObject({ why: "conflict" });
    });

    test("answers 409 to a writer whose reading is old, and 422 to a patch whose place is gone", async () => {
      const target = await nextTarget();
      const path = pathOf(target);
      const read = (await world.admin.request("GET", path)) as { metadata: { resourceVersion: string } };
      await through(send).raise(target, to25);

      const { resourceVersion } = read.metadata;
      const body = { metadata: { resourceVersion, labels: { mine: "yes" } } };
      const merge = world.admin.request("PATCH", path, { body, contentType: "application/merge-patch+json" });
      await expect(merge).rejects.toMatchObject({ status: 409, reason: "Conflict" });

      const gone = [{ op: "replace", path: "/spec/http/7/name", value: "x" }];
      const patch = world.admin.request("PATCH", path, { body: gone, contentType: "application/json-patch+json" });
      await expect(patch).rejects.toMatchObject({ status: 422 });
    });

    test.each([
      ["a weight that is no whole number", { route: [{ destination: { host: v1 }, weight: 1.5 }] }],
      ["a destination without a host", { route: [{ destination: { subset: "a" }, weight: 100 }] }],
      ["a mirror without a host", { mirror: { subset: "a" } }],
      ["a share that is a bare number", { mirror: { host: v1 }, mirrorPercentage: 5 }],
      ["a mirror without a destination", { mirrors: [{ percentage: { value: 5 } }] }],
      ["a time-out that is a number", { timeout: 5 }],
      ["a condition that is no list", { match: { uri: { prefix: "/" } } }],
    ])("takes no route with %s", async (_, part) => {
      const target = await nextTarget();
      const before = await world.admin.request("GET", pathOf(target));
      const body = { spec: { http: [{ name: "slipway", ...part }] } };

      const written = world.admin.request("PATCH", pathOf(target), {
        body,
        contentType: "application/merge-patch+json",
      });

      await expect(written).rejects.toMatchObject({ status: 422, reason: "Invalid" });
      expect(await world.admin.request("GET", pathOf(target))).toEqual(before);
    });

    test("holds up no lowering while somebody else writes the same object", async () => {
      const target = await nextTarget();
      let writing = true;
      const writer = (async () => {
        for (let count = 0; writing; count += 1) {
          const annotations = { "example.com/noise": String(count) };
          const body = { metadata: { annotations } };
          await world.admin.request("PATCH", pathOf(target), { body, contentType: "application/merge-patch+json" });
        }
      })();

      const lowered = await through(send).lower(target, back);
      writing = false;
      await writer;

      expect(lowered).toMatchObject({ kind: "shut" });
    });
  });
}
