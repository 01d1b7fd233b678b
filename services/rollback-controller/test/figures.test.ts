import { shutWatch } from "@slipway/contracts";
import { systemClock } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { expect, test } from "vitest";
import { countFailure, countingReads, failTally, readTally, watchFigures } from "../src/figures.ts";
import { id } from "./support/sample.ts";
import { arm, type Controller, handlerOf, phase, placeOfEachTest } from "./support/watching.ts";

const { goBad, place, shutIn, start, stopLast } = placeOfEachTest();

/** Values of one figure, by its labels. */
async function valuesOf({ watchers, queue }: Controller, name: string): Promise<Record<string, number>> {
  const watched = { watchers, queue, db: place().db, clock: systemClock, regions: ["a", "b", "idle"] };
  const values = await watchFigures(watched)
    .find((figure) => figure.name === name)
    ?.read();
  return Object.fromEntries((values ?? []).map(({ labels, value }) => [Object.values(labels).join(" "), value]));
}

test("a region that cannot be read gets older, and one in which nothing is watched does not", async () => {
  const controller = await start();
  await arm(controller);
  place().region("b").unreadable = true;

  const ages = await until(
    async () => {
      const found = await valuesOf(controller, "slipway_watch_oldest_look_seconds");
      return (found.b ?? 0) > 1 && (found.a ?? 2) < 1 ? found : undefined;
    },
    { what: "region b to get old, and not a" },
  );

  expect(ages.idle).toBe(0);
});

test("watches are counted by what the judge says of them", async () => {
  const controller = await start();
  await arm(controller);

  await until(async () => (await valuesOf(controller, "slipway_watches"))["prod canary PASS"] === 1, {
    what: "a watch that passes",
  });
  goBad();
  await until(async () => (await valuesOf(controller, "slipway_watches"))["prod canary FAIL"] === 1, {
    what: "a watch that fails",
  });
});

test("a region that does not let a bad version be taken out is told until it does", async () => {
  const controller = await start();
  await arm(controller);
  place().region("b").refusals = Number.POSITIVE_INFINITY;
  goBad();
  await until(() => shutIn("a"), { what: "region a" });

  const open = await until(
    async () => {
      const found = await valuesOf(controller, "slipway_watch_oldest_unshut_seconds");
      return (found.b ?? 0) > 0.5 ? found : undefined;
    },
    { what: "region b to be told" },
  );
  expect([open.a, open.idle]).toEqual([0, 0]);
  place().region("b").refusals = 0;

  await until(async () => (await valuesOf(controller, "slipway_watch_oldest_unshut_seconds")).b === 0, {
    what: "region b to be shut",
  });
});

test("a watch that no process has is told, and one that a process has is not", async () => {
  const controller = await start();
  await arm(controller);
  expect(await valuesOf(controller, "slipway_watches_unkept")).toEqual({ "": 0 });

  await stopLast();

  expect(await valuesOf(controller, "slipway_watches_unkept")).toEqual({ "": 1 });
});

test("with the database away what was found waits, and is counted", async () => {
  const controller = await start();
  await arm(controller);
  expect(await valuesOf(controller, "slipway_watch_news_set_aside")).toEqual({ "": 0 });
  controller.away.now = true;
  goBad();

  await until(async () => ((await valuesOf(controller, "slipway_watch_news_waiting"))[""] ?? 0) > 0, {
    what: "news that wait",
  });
});

test("versions that the judge found bad are counted, and what a person shut is not", async () => {
  const failures = failTally(["prod"]);
  const controller = await start({ now: false }, { onNews: (watcher, news) => countFailure(failures, watcher, news) });
  await arm(controller);
  const shut = await handlerOf(controller, shutWatch);
  expect(await failures.figure.read()).toEqual([{ labels: { environment: "prod" }, value: 0 }]);
  goBad();
  await until(async () => (await phase(controller)) === "failed", { what: "a FAIL" });

  await shut({ reason: "once more, by hand" });

  expect(controller.watchers.get(id)?.state).toBe("failed");
  expect(await failures.figure.read()).toEqual([{ labels: { environment: "prod" }, value: 1 }]);
});

test("readings are counted by region and outcome", async () => {
  const reads = readTally(["a"]);
  let away = false;
  const read = async () => {
    if (away) throw new Error("the region does not answer");
    return { processEpoch: "1", versions: {}, servedWeight: {} };
  };
  const source = countingReads(() => ({ read }), reads)("a");
  await source.read({} as never);
  away = true;

  await expect(source.read({} as never)).rejects.toThrow("does not answer");

  expect((await reads.figure.read()).map(({ labels, value }) => `${labels.outcome} ${value}`)).toEqual([
    "read 1",
    "failed 1",
  ]);
});
