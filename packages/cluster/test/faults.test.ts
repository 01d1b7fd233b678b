import type { FaultyRequest } from "@slipway/local-region";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Connection } from "../src/connection.ts";
import { RegionUnavailable } from "../src/errors.ts";
import type { RegionCluster, Target } from "../src/port.ts";
import { regionOver } from "../src/region.ts";
import { environment, freshTarget, grant, prepareVersions, v1, v2 } from "./support/fence-world.ts";
import { type LocalApi, localApi } from "./support/local-api.ts";
import { silent } from "./support/silent.ts";

let api: LocalApi;
let connection: Connection;
let region: RegionCluster;
let number = 0;

beforeAll(async () => {
  api = await localApi();
  connection = await api.open({ timeoutMs: 400 });
  await prepareVersions(connection);
  const name = "us-east-1" as RegionCluster["name"];
  region = regionOver(connection, { name, log: silent, requestTimeoutMs: 400, lowerDeadlineMs: 5_000 });
});
afterEach(() => {
  expect(api.faults.pending()).toBe(0);
});
afterAll(async () => {
  await region.close();
  await api.close();
});

function nextTarget(): Promise<Target> {
  number += 1;
  return freshTarget(connection, number);
}

const patches = ({ method, path }: FaultyRequest) => method === "PATCH" && path.includes("/virtualservices/");
const reads = ({ method, path }: FaultyRequest) => method === "GET" && path.includes("/virtualservices/");
const to25 = { ...grant(2), baseline: v1, canary: v2, percent: 25, exposure: { production: true, proven: true } };
const back = { ...grant(2), baseline: v1, canary: v2 };

describe("a raise whose answer does not come", () => {
  test("took hold when the fence says so", async () => {
    const target = await nextTarget();
    api.faults.add({ kind: "drop", when: "after" }, patches);

    expect(await region.raise(target, to25)).toMatchObject({ kind: "raised" });
    expect((await region.readTraffic(target)).weights).toMatchObject({ [v1]: 75, [v2]: 25 });
  });

  test("took hold, also when the server was merely slow to say so", async () => {
    const target = await nextTarget();
    api.faults.add({ kind: "delay", when: "after", ms: 800 }, patches);

    expect(await region.raise(target, to25)).toMatchObject({ kind: "raised" });
  });

  test("is dropped and reported when nothing was written", async () => {
    const target = await nextTarget();
    api.faults.add({ kind: "drop", when: "before" }, patches);

    expect(await region.raise(target, to25)).toMatchObject({ kind: "refused", why: "conflict" });
    expect((await region.readTraffic(target)).weights[v2]).toBe(5);
  });

  test("falls when it arrives after a lowering that was written meanwhile", async () => {
    const target = await nextTarget();
    api.faults.add({ kind: "delay", when: "before", ms: 1_000 }, patches);

    const raising = region.raise(target, to25);
    expect(await raising).toMatchObject({ kind: "refused", why: "conflict" });
    const lowered = await region.lower(target, back);
    await new Promise((resolve) => setTimeout(resolve, 1_000));

    const after = await region.readTraffic(target);
    expect(lowered).toEqual({ kind: "shut", seq: after.fence?.seq });
    expect(after).toMatchObject({ fence: { gate: "shut" }, weights: { [v1]: 100, [v2]: 0 } });
  });

  test.each([409, 429, 500, 503] as const)("is not repeated after a %i", async (code) => {
    const target = await nextTarget();
    api.faults.add({ kind: "answer", code }, patches);

    expect(await region.raise(target, to25)).toMatchObject({ kind: "refused", why: "conflict" });
    expect((await region.readTraffic(target)).weights[v2]).toBe(5);
  });

  test("throws when the region cannot be read either, and finds its own work when asked again", async () => {
    const target = await nextTarget();
    api.faults.add({ kind: "drop", when: "after" }, patches);
    const first = await region.readTraffic(target);
    // Lets the read before the write through and cuts the three after it.
    let seen = 0;
    api.faults.add({ kind: "drop", when: "before" }, (request) => reads(request) && ++seen > 1, 3);

    await expect(region.raise(target, to25)).rejects.toThrow(RegionUnavailable);

    const again = await region.raise(target, to25);
    expect(again).toEqual({ kind: "raised", seq: (first.fence?.seq ?? 0) + 1 });
  });
});

describe("a lowering goes on until it stands", () => {
  test.each([409, 429, 500, 503] as const)("after a %i", async (code) => {
    const target = await nextTarget();
    api.faults.add({ kind: "answer", code }, patches, 3);

    expect(await region.lower(target, back)).toMatchObject({ kind: "shut" });
    expect((await region.readTraffic(target)).weights).toMatchObject({ [v1]: 100, [v2]: 0 });
  });

  test("after cut connections, and writes once what had taken hold already", async () => {
    const target = await nextTarget();
    const before = await region.readTraffic(target);
    api.faults.add({ kind: "drop", when: "before" }, patches);
    api.faults.add({ kind: "drop", when: "after" }, patches);

    expect(await region.lower(target, back)).toEqual({ kind: "shut", seq: (before.fence?.seq ?? 0) + 1 });
  });

  test("when the region does not answer for a while", async () => {
    const target = await nextTarget();
    api.faults.add({ kind: "delay", when: "before", ms: 600 }, reads, 2);

    expect(await region.lower(target, back)).toMatchObject({ kind: "shut" });
  });

  test("within half a second against somebody who writes the weights and the fence twenty times a second", async () => {
    const target = await nextTarget();
    const path = `/apis/networking.istio.io/v1/namespaces/${environment}/virtualservices/${target.service}`;
    const rival = await api.open();
    let seq = 1_000;
    let writing = true;
    const writer = (async () => {
      while (writing) {
        seq += 1;
        const annotations = { "slipway.dev/fence": `2/${seq}/open/D-2`, "slipway.dev/noise": String(seq) };
        const body = { metadata: { annotations } };
        await rival.request("PATCH", path, { body, contentType: "application/merge-patch+json" });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();

    const startedAt = performance.now();
    const lowered = await region.lower(target, back);
    const tookMs = performance.now() - startedAt;
    writing = false;
    await writer;

    expect(lowered).toMatchObject({ kind: "shut" });
    expect(tookMs).toBeLessThan(500);
  });
});
