import { until } from "@slipway/testkit";
import { expect, test } from "vitest";
import { Faults, startApiServer } from "../../src/index.ts";
import { quiet } from "../support/quiet.ts";
import { configMap, configMaps } from "./support/objects.ts";
import { mergePatch, temporaryFolder, testRegion } from "./support/region.ts";
import { watching } from "./support/watching.ts";

test("an answer that is dropped after the write: the caller sees a broken connection, the object is changed", async () => {
  const faults = new Faults();
  const { send } = await testRegion({ faults });
  await send("POST", configMaps, configMap("a"));
  faults.add({ kind: "drop", when: "after" }, ({ method }) => method === "PATCH");

  await expect(send("PATCH", `${configMaps}/a`, { data: { x: "1" } }, mergePatch)).rejects.toThrow();

  expect((await send("GET", `${configMaps}/a`)).body.data).toEqual({ x: "1" });
  expect(faults.pending()).toBe(0);
});

test("a request that is dropped before it takes hold changes nothing", async () => {
  const faults = new Faults();
  const { send } = await testRegion({ faults });
  faults.add({ kind: "drop", when: "before" });

  await expect(send("POST", configMaps, configMap("a"))).rejects.toThrow();

  expect((await send("GET", `${configMaps}/a`)).status).toBe(404);
});

test.each([409, 429, 500, 503] as const)("the next matching requests are answered %i, then no more", async (code) => {
  const faults = new Faults();
  const { send } = await testRegion({ faults });
  faults.add({ kind: "answer", code, retryAfterSeconds: 1 }, ({ path }) => path === configMaps, 2);

  const answers = [await send("GET", configMaps), await send("GET", configMaps), await send("GET", configMaps)];

  expect(answers.map(({ status }) => status)).toEqual([code, code, 200]);
  expect(answers[0]?.headers["retry-after"]).toBe("1");
  expect(answers[0]?.body).toMatchObject({ kind: "Status", code });
});

test("an answer that comes late comes after others", async () => {
  const faults = new Faults();
  const { send } = await testRegion({ faults });
  const order: string[] = [];
  faults.add({ kind: "delay", when: "after", ms: 2_000 }, ({ method }) => method === "POST");

  const slow = send("POST", configMaps, configMap("a")).then(() => order.push("slow"));
  await until(async () => (await send("GET", `${configMaps}/a`)).status === 200, { what: "the write" });
  order.push("seen");
  await slow;

  expect(order).toEqual(["seen", "slow"]);
});

test("watches can be cut", async () => {
  const faults = new Faults();
  const region = await testRegion({ faults });
  const watch = await watching(region, configMaps);

  faults.closeWatches();

  await watch.ended;
});

test("a port that was asked for and is taken is an error, and leaves the folder free", async () => {
  const { port } = await testRegion();
  const dir = await temporaryFolder();

  await expect(startApiServer({ name: "other", dir, port, log: quiet })).rejects.toThrow(/EADDRINUSE/);

  await testRegion({ dir });
});
