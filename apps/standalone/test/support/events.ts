import { type Bus, postgresBus, type ReadPosition } from "@slipway/bus";
import type { CloudEvent } from "@slipway/contracts";
import { openDb, silentLogger, startEmbeddedPostgres } from "@slipway/sql";

/** Works with the platform's own database, whether a platform runs there or not. */
async function withDatabase<T>(dataDir: string, work: (adminUrl: string) => Promise<T>): Promise<T> {
  const postgres = await startEmbeddedPostgres({ dataDir, durability: "full", log: silentLogger });
  try {
    return await work(postgres.adminUrl());
  } finally {
    if (!postgres.adopted) await postgres.stop();
  }
}

/** All events of the topics, read from the bus itself. */
export function eventsOf(dataDir: string, topics: readonly string[]): Promise<Record<string, CloudEvent[]>> {
  return withDatabase(dataDir, async (url) => {
    const bus = postgresBus({ url, log: silentLogger });
    try {
      return await eventsIn(bus, topics);
    } finally {
      await bus.close();
    }
  });
}

/** All events of the topics on a bus, from the first. */
export async function eventsIn(bus: Bus, topics: readonly string[]): Promise<Record<string, CloudEvent[]>> {
  const read = async (topic: string) => {
    const events: CloudEvent[] = [];
    for (let at: ReadPosition = 0; ; ) {
      const page = await bus.read(topic, at, 500);
      events.push(...page.events);
      if (page.events.length === 0) return [topic, events] as const;
      at = page.next;
    }
  };
  return Object.fromEntries(await Promise.all(topics.map(read)));
}

export type Notice = { readonly about: string; readonly title: string; readonly text: string };

/** Every notification that there ever was, oldest first. */
export function noticesOf(dataDir: string): Promise<readonly Notice[]> {
  return withDatabase(dataDir, async (url) => {
    const db = openDb<{ notification: { number: number; notice: Notice } }>({ url, schema: "notification", max: 1 });
    try {
      const rows = await db.selectFrom("notification").select("notice").orderBy("number").execute();
      return rows.map(({ notice }) => ({ about: notice.about, title: notice.title, text: notice.text }));
    } finally {
      await db.destroy();
    }
  });
}
