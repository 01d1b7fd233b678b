import type { Faults, FaultyRequest } from "@slipway/local-region";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Connection, RequestOptions } from "../../src/connection.ts";
import { RegionUnavailable } from "../../src/errors.ts";
import type { RegionCluster, Target } from "../../src/port.ts";
import { regionOver } from "../../src/region.ts";
import { freshTarget, grant, prepareVersions, v1, v2 } from "./fence-world.ts";
import { silent } from "./silent.ts";

export type FaultAnswersWorld = {
  readonly faults: Faults;
  /** As somebody who may do anything there, past the faults. */
  readonly admin: Connection;
  /** As Slipway, past the faults: for what is not under test, which a machine under load must not fail. */
  readonly patient: Connection;
  /** As Slipway through the faults: what takes 1.5 s takes too long. */
  readonly connection: Connection;
  close(): Promise<void>;
};

export const impatientMs = 1_500;

const patches = ({ method, path }: FaultyRequest) => method === "PATCH" && path.includes("/virtualservices/");
const reads = ({ method, path }: FaultyRequest) => method === "GET" && path.includes("/virtualservices/");
const to25 = { ...grant(2), baseline: v1, canary: v2, percent: 25, exposure: { production: true, proven: true } };
const back = { ...grant(2), baseline: v1, canary: v2 };

/** Writes and reads of a region whose API answers wrongly, late or not at all. */
export function faultAnswersContract(start: () => Promise<FaultAnswersWorld>): void {
  let world: FaultAnswersWorld;
  let region: RegionCluster;
  let number = 0;

  beforeAll(async () => {
    world = await start();
    await prepareVersions(world.admin);
    region = through((path, options) => world.connection.request("PATCH", path, options));
  });
  afterEach(() => {
    expect(world.faults.pending()).toBe(0);
  });
  afterAll(async () => {
    await region?.close();
    await world?.close();
  });

  function nextTarget(): Promise<Target> {
    number += 1;
    return freshTarget(world.patient, number);
  }

  /** The region with its writes to VirtualServices sent by other means. */
  function through(patch: (path: string, options: RequestOptions) => Promise<unknown>): RegionCluster {
    const name = "us-east-1" as RegionCluster["name"];
    const over: Connection = {
      region: name,
      request: (method, path, options = {}) =>
        method === "PATCH" && path.includes("/virtualservices/")
          ? patch(path, options)
          : world.connection.request(method, path, options),
      lines: (path, query, signal) => world.connection.lines(path, query, signal),
      close: () => world.connection.close(),
    };
    return regionOver(over, { name, log: silent, requestTimeoutMs: impatientMs, lowerDeadlineMs: 20_000 });
  }

  describe("a raise whose answer does not come", () => {
    test("took hold when the fence says so", async () => {
      const target = await nextTarget();
      world.faults.add({ kind: "drop", when: "after" }, patches);

      expect(await region.raise(target, to25)).toMatchObject({ kind: "raised" });
      expect((await region.readTraffic(target)).weights).toMatchObject({ [v1]: 75, [v2]: 25 });
    });

    test("took hold, also when the server was merely slow to say so", async () => {
      const target = await nextTarget();
      world.faults.add({ kind: "delay", when: "after", ms: 3_000 }, patches);

      expect(await region.raise(target, to25)).toMatchObject({ kind: "raised" });
    });

    test("is dropped and reported when nothing was written", async () => {
      const target = await nextTarget();
      world.faults.add({ kind: "drop", when: "before" }, patches);

      expect(await region.raise(target, to25)).toMatchObject({ kind: "refused", why: "conflict" });
      expect((await region.readTraffic(target)).weights[v2]).toBe(5);
    });

    test.each([409, 429, 500, 503] as const)("is not repeated after a %i", async (code) => {
      const target = await nextTarget();
      world.faults.add({ kind: "answer", code }, patches);

      expect(await region.raise(target, to25)).toMatchObject({ kind: "refused", why: "conflict" });
      expect((await region.readTraffic(target)).weights[v2]).toBe(5);
    });

    test("throws when the region cannot be read either, and finds its own work when asked again", async () => {
      const target = await nextTarget();
      world.faults.add({ kind: "drop", when: "after" }, patches);
      const first = await region.readTraffic(target);
      // Lets the read before the write through and cuts the three after it.
      let seen = 0;
      world.faults.add({ kind: "drop", when: "before" }, (request) => reads(request) && ++seen > 1, 3);

      await expect(region.raise(target, to25)).rejects.toThrow(RegionUnavailable);

      const again = await region.raise(target, to25);
      expect(again).toEqual({ kind: "raised", seq: (first.fence?.seq ?? 0) + 1 });
    });
  });

  describe("a lowering goes on until it stands", () => {
    test.each([409, 429, 500, 503] as const)("after a %i", async (code) => {
      const target = await nextTarget();
      world.faults.add({ kind: "answer", code }, patches, 3);

      expect(await region.lower(target, back)).toMatchObject({ kind: "shut" });
      expect((await region.readTraffic(target)).weights).toMatchObject({ [v1]: 100, [v2]: 0 });
    });

    test("after cut connections, and writes once what had taken hold already", async () => {
      const target = await nextTarget();
      const before = await region.readTraffic(target);
      world.faults.add({ kind: "drop", when: "before" }, patches);
      world.faults.add({ kind: "drop", when: "after" }, patches);

      expect(await region.lower(target, back)).toEqual({ kind: "shut", seq: (before.fence?.seq ?? 0) + 1 });
    });

    test("when an answer is so late that it was sent again, and is written once", async () => {
      const target = await nextTarget();
      const before = await region.readTraffic(target);
      world.faults.add({ kind: "delay", when: "after", ms: 3_000 }, patches);

      expect(await region.lower(target, back)).toEqual({ kind: "shut", seq: (before.fence?.seq ?? 0) + 1 });
    });

    test("when the region does not answer for a while", async () => {
      const target = await nextTarget();
      world.faults.add({ kind: "delay", when: "before", ms: 2_500 }, reads, 1);

      expect(await region.lower(target, back)).toMatchObject({ kind: "shut" });
    });

    test("against somebody who writes weights and fence just before each of its first tries, and with not one try more", async () => {
      const target = await nextTarget();
      const rival = world.patient;
      let tries = 0;
      const contested = through(async (path, options) => {
        tries += 1;
        if (tries <= 20) {
          const annotations = {
            "slipway.dev/fence": `2/${1_000 + tries}/open/D-2`,
            "slipway.dev/noise": String(tries),
          };
          const body = { metadata: { annotations } };
          await rival.request("PATCH", path, { body, contentType: "application/merge-patch+json" });
        }
        return world.connection.request("PATCH", path, options);
      });

      expect(await contested.lower(target, back)).toEqual({ kind: "shut", seq: 1_021 });
      expect(tries).toBe(21);
    });
  });
}
