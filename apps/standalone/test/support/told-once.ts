import { type CloudEvent, listNotifications } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { expect } from "vitest";
import type { Platform } from "./platform.ts";
import { regions } from "./run-json.ts";
import type { Turnable } from "./turnable.ts";

const deployments = "slipway.deployment.v1";
const watches = "slipway.watch.v1";
const last = ["Bad deployment caught at 5%", "Taken back"];

type Events = Readonly<Record<string, readonly CloudEvent[]>>;

/**
 * What was taken back amid trouble has each of its events once and a notice of each: a bus may have an event twice, and it is one. What the trouble held or hid on the
 * way is told as well.
 */
export async function expectToldOnce(
  platform: Platform,
  { id }: Turnable,
  read: (topics: readonly string[]) => Promise<Events>,
): Promise<void> {
  const titles = async () => {
    const { notifications } = await platform.as("viewer").call(listNotifications, { query: { page_size: 100 } });
    return notifications.filter(({ about }) => about === id).map(({ title }) => title.split(":")[0] ?? "");
  };
  const areThere = async () => (await titles()).filter((title) => last.includes(title)).length >= last.length;
  await until(areThere, { timeoutMs: 120_000, what: "the last notices" });
  const told = await read([deployments, watches]);
  const count = (topic: string, type: string) =>
    new Set(told[topic]?.filter((event) => event.subject === id && event.type === type).map((event) => event.id)).size;
  const held = Array.from({ length: count(deployments, "deployment.held") }, () => "Held");
  const unseen = Array.from({ length: count(watches, "watch.metrics_missing") }, () => "Cannot judge");
  expect((await titles()).sort()).toEqual([...last, ...held, ...unseen].sort());
  for (const type of ["accepted", "granted", "opened", "step_started", "restoring", "rolled_back"])
    expect([type, count(deployments, `deployment.${type}`)]).toEqual([type, 1]);
  expect(count(watches, "watch.failed")).toBe(1);
  expect(count(watches, "watch.shut_confirmed")).toBe(regions.length);
}
