import { postgresBus, type ReadPosition } from "@slipway/bus";
import type { CloudEvent } from "@slipway/contracts";
import { silentLogger, startEmbeddedPostgres } from "@slipway/sql";

/** All events of the topics, read from the bus itself, whether a platform runs there or not. */
export async function eventsOf(dataDir: string, topics: readonly string[]): Promise<Record<string, CloudEvent[]>> {
  const postgres = await startEmbeddedPostgres({ dataDir, durability: "full", log: silentLogger });
  const bus = postgresBus({ url: postgres.adminUrl(), log: silentLogger });
  try {
    return Object.fromEntries(
      await Promise.all(
        topics.map(async (topic) => {
          const events: CloudEvent[] = [];
          for (let at: ReadPosition = 0; ; ) {
            const page = await bus.read(topic, at, 500);
            events.push(...page.events);
            if (page.events.length === 0) return [topic, events] as const;
            at = page.next;
          }
        }),
      ),
    );
  } finally {
    await bus.close();
    if (!postgres.adopted) await postgres.stop();
  }
}
