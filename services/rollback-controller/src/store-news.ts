import { inboxOnce } from "@slipway/bus";
import { appendAudit, type Durable, type DurableMachine } from "@slipway/durable";
import type { Clock } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import type { Watch, WatchCommand, WatchInput } from "./domain/watch.ts";
import { isKeptElsewhere } from "./keeper-rows.ts";
import type { Entry } from "./news.ts";
import type { Tables } from "./store.ts";

export type NewsStore = {
  readonly db: Db<Tables>;
  readonly durable: Durable;
  readonly machine: DurableMachine<Watch, WatchInput, WatchCommand>;
  readonly clock: Clock;
  /** Of the journal that the entries stand in. */
  readonly disk: string;
};

/** Applies an entry to its watch, once per key, together with the audit of who wanted it. Rejects when it cannot be applied now, or ever. */
export async function storeNews(
  { db, durable, machine, clock, disk }: NewsStore,
  { key, id, news }: Entry,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    if (!(await inboxOnce(tx, "journal", key))) return;
    // What a process thought of a watch that another one has now. What it found bad, and what it did about it, counts all the same.
    if ((news.type === "Judged" || news.type === "MetricsMissing") && (await isKeptElsewhere(tx, id, disk))) return;
    const answer = await durable.send(machine, id, () => news as WatchInput, tx);
    if (answer.kind === "not_found") throw new Error(`there is no watch for ${id}`);
    if (answer.kind === "refusal") throw new Error(`${answer.code}: ${answer.detail}`);
    if (news.type !== "Failed" || news.by === undefined) return;
    const { name, reason } = news.by;
    const { service, environment, version } = answer.state.spec;
    const detail = { service, environment, version, reason };
    await appendAudit(tx, { actor: name, action: "watch.shut", subject: id, detail, at: clock.now() });
  });
}
