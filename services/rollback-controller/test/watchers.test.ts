import { putWatch, watchTopic } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { forgetEnded, loadLooks } from "../src/store.ts";
import { id, sampleSpec } from "./support/sample.ts";
import { arm, handlerOf, placeOfEachTest } from "./support/watching.ts";

const { goBad, place, shutIn, start } = placeOfEachTest();

test("tells a PASS once the evidence is there, and not before", async () => {
  const controller = await start();
  await arm(controller);

  await until(() => controller.watchers.get(id)?.judgement?.verdict === "PASS", { what: "a PASS" });

  const { counts } = controller.watchers.get(id)!.judgement!;
  expect(counts.canary_requests).toBeGreaterThanOrEqual(459);
  await until(
    async () => {
      const { events } = await place().bus.read(watchTopic.name, 0, 100);
      return events.map(({ type }) => type).join() === "watch.armed,watch.judged,watch.judged";
    },
    { what: "the news on the bus" },
  );
});

test("on FAIL shuts every region by itself, confirms what it reads there, and tells", async () => {
  const controller = await start();
  goBad();
  await arm(controller);

  await until(
    async () => {
      const row = await controller.durable.read(controller.machine, id);
      return row?.state.phase === "failed" && Object.keys(row.state.shut).length === 2;
    },
    { what: "both regions confirmed" },
  );

  expect([shutIn("a"), shutIn("b")]).toEqual([true, true]);
});

test("keeps trying a region that does not answer, and lets no other wait for it", async () => {
  const controller = await start({ now: false });
  place().region("b").refusals = 3;
  goBad();
  await arm(controller);
  controller.away.now = true;

  await until(() => shutIn("a"), { what: "region a" });
  await until(() => shutIn("b"), { what: "region b" });
});

test("stops looking when the watch has ended", async () => {
  const controller = await start();
  await arm(controller);
  await controller.watchers.end(id);
  const watched = controller.watchers.get(id);
  const { reads } = place().region("a");

  await controller.queue.flush();

  expect(watched).toBeUndefined();
  expect(place().region("a").reads).toBe(reads);
});

test("looks asked for at the same time count nothing twice", async () => {
  const controller = await start();
  await arm(controller);
  const watcher = controller.watchers.get(id)!;

  await Promise.all(Array.from({ length: 20 }, () => watcher.look()));

  const { canary_requests } = watcher.looking.totals.a!;
  expect(canary_requests).toBeLessThanOrEqual(10 * (place().region("a").reads - 1));
});

test("refuses an arming under older epochs, and goes on under the newer ones", async () => {
  const controller = await start();
  const put = await handlerOf(controller, putWatch);
  await put(sampleSpec({ epochs: { a: 5, b: 5 } }));

  expect(await put(sampleSpec())).toMatchObject({ kind: "refusal", code: "watch.stale_epoch" });
  expect(controller.watchers.get(id)?.spec.epochs).toEqual({ a: 5, b: 5 });
});

test("forgets the looks of a watch that ended long ago, and never those of one at work", async () => {
  const controller = await start();
  await arm(controller);
  await until(async () => (await loadLooks(place().db, id)).length > 0, { what: "looks" });
  await sql`update look set at = at - interval '100 days'`.execute(place().db);
  await sql`insert into look (watch_id, at, looks) values ('D-1', now() - interval '100 days', '[]')`.execute(
    place().db,
  );

  await forgetEnded(place().db, 86_400_000);

  expect((await loadLooks(place().db, id)).length).toBeGreaterThan(0);
  const left = await place().db.selectFrom("look").select("watch_id").where("watch_id", "=", "D-1").execute();
  expect(left).toEqual([]);
});
