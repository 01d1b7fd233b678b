import type { RegionName } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { beforeEach, expect, test } from "vitest";
import type { Connection } from "../src/connection.ts";
import type { RegionCluster, Target } from "../src/port.ts";
import { regionOver } from "../src/region.ts";
import { freshTarget, grant, prepareVersions, v1, v2 } from "./support/fence-world.ts";
import { MemoryApi } from "./support/memory-api.ts";
import { silent } from "./support/silent.ts";

let api: MemoryApi;
let target: Target;
let region: RegionCluster;
/** What the region is asked about the target's routes, in order. */
let asked: string[];
let watches: { readonly opened: number; readonly open: number };

beforeEach(async () => {
  api = new MemoryApi();
  await prepareVersions(api.connection());
  target = await freshTarget(api.connection(), 1);
  asked = [];
  watches = { opened: 0, open: 0 };
  region = regionOver(observed(api.connection()), {
    ...{ name: "memory" as RegionName, log: silent, requestTimeoutMs: 5_000, lowerDeadlineMs: 5_000 },
    pause: () => Promise.resolve(),
  });
  return () => region.close();
});

function observed(connection: Connection): Connection {
  return {
    ...connection,
    request(method, path, options) {
      if (path.endsWith(`/virtualservices/${target.service}`)) asked.push(method);
      return connection.request(method, path, options);
    },
    async lines(path, query, signal) {
      watches = { opened: watches.opened + 1, open: watches.open + 1 };
      signal.addEventListener("abort", () => {
        watches = { ...watches, open: watches.open - 1 };
      });
      return connection.lines(path, query, signal);
    },
  };
}

const watched = (count: number) => until(() => watches.open === count, { what: `${count} open watches` });
const lower = (epoch = 2) => region.lower(target, { ...grant(epoch), baseline: v1, canary: v2 });

test("a lowering over kept routes begins with its write; over none it reads first", async () => {
  await lower();
  expect(asked).toEqual(["GET", "PATCH"]);

  target = await freshTarget(api.connection(), 2);
  asked = [];
  region.keepRoutes();
  await watched(1);
  expect(await lower()).toMatchObject({ kind: "shut" });

  expect(asked).toEqual(["PATCH"]);
  expect(await region.readTraffic(target)).toMatchObject({ weights: { [v1]: 100, [v2]: 0 } });
});

test("where the kept routes have it shut or newer already, the region itself is asked", async () => {
  await lower();
  region.keepRoutes();
  await watched(1);
  asked = [];

  expect(await lower()).toMatchObject({ kind: "shut" });
  expect(asked).toEqual(["GET"]);
  await region.openFence(target, { ...grant(5), baseline: v1 });
  asked = [];
  expect(await lower()).toMatchObject({ kind: "stale" });
  expect(asked).toContain("GET");
});

test("the routes are watched once for all who want them, until the last has stopped", async () => {
  const first = region.keepRoutes();
  const second = region.keepRoutes();
  const listener = region.watchTraffic(target, () => undefined);
  await watched(1);

  await first.stop();
  await first.stop();
  await listener.stop();
  expect(watches).toEqual({ opened: 1, open: 1 });
  await second.stop();
  expect(watches).toEqual({ opened: 1, open: 0 });
});
