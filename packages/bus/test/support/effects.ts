import { freshName, testDatabase } from "@slipway/testkit";
import { type Bus, inboxOnce } from "../../src/index.ts";

/** How often each event took effect: once its inbox has let it pass, in one transaction with the effect. */
export async function effectsOf(bus: Bus, topic: string) {
  const database = await testDatabase(["bus", "notification"]);
  const db = database.db("notification");
  const group = freshName("group");
  const counts = new Map<string, number>();
  const handled: string[] = [];
  await bus.subscribe({
    group,
    topics: [topic],
    handler: async ({ id }) => {
      handled.push(id);
      const first = await db.transaction().execute((tx) => inboxOnce(tx, group, id));
      if (first) counts.set(id, (counts.get(id) ?? 0) + 1);
    },
  });
  return { counts, handled, close: () => database.close() };
}
