import { type Figure, type FigureValue, shared } from "@slipway/host";
import { sql } from "kysely";
import type { NotificationDb } from "./store.ts";

/** How a channel does, from what has happened since it took a message the last time. */
export type ChannelHealth = {
  readonly figures: readonly Figure[];
  /** Why it takes none, as a sentence. */
  trouble(): Promise<readonly string[]>;
};

type Looked = { readonly givenUp: number; readonly oldestPending: number; readonly reason: string | null };

/** A single 500 or "slow down" is everyday: it is trouble when the third attempt failed, too. */
const troubleFrom = 3;

/**
 * What was given up counts from the start of the process on: whoever has corrected the webhook restarts with it, and is not told of the one before until
 * the next message goes out.
 */
export async function channelHealth(db: NotificationDb, channel: string): Promise<ChannelHealth> {
  const started = await sql<{ at: string }>`select clock_timestamp()::text as at`.execute(db);
  const since = started.rows[0]?.at ?? "-infinity";
  const look = shared(() => lookAt(db, channel, since));
  return {
    figures: figuresOf(async (value) => [{ labels: { channel }, value: value(await look()) }]),
    async trouble() {
      const { reason } = await look();
      if (reason === null) return [];
      return [
        `Slack takes no notifications, they are in /inbox alone (${reason}): correct SLIPWAY_SLACK_WEBHOOK_URL, or make a new webhook`,
      ];
    },
  };
}

function figuresOf(values: (of: (looked: Looked) => number) => Promise<readonly FigureValue[]>): readonly Figure[] {
  const about = { kind: "gauge", labels: ["channel"] } as const;
  return [
    {
      ...about,
      name: "slipway_notifications_given_up",
      help: "Messages that the channel would not take, since it took one",
      read: () => values(({ givenUp }) => givenUp),
    },
    {
      ...about,
      name: "slipway_notifications_oldest_pending_seconds",
      help: "How long the oldest message has waited for the channel",
      read: () => values(({ oldestPending }) => oldestPending),
    },
  ];
}

/** With no channel but the inbox nothing can fail, and the figures have no values. */
export const inboxHealth: ChannelHealth = { figures: figuresOf(async () => []), trouble: async () => [] };

async function lookAt(db: NotificationDb, channel: string, since: string): Promise<Looked> {
  // A message that was refused is not tried again, so that its next attempt is the time of its last.
  const { rows } = await sql<Looked>`
    with untaken as (
      select number, last_reason, created_at, state = 'pending' as pending,
        case when state = 'pending' then attempts >= ${troubleFrom} else next_attempt_at >= ${since}::timestamptz end as bad
      from notification where channel = ${channel} and state <> 'delivered' and number > coalesce(
        (select max(number) from notification where channel = ${channel} and state = 'delivered'), 0))
    select (count(*) filter (where bad and not pending))::float8 as "givenUp",
      coalesce(max(extract(epoch from clock_timestamp() - created_at)) filter (where pending), 0)::float8 as "oldestPending",
      (array_agg(last_reason order by number desc) filter (where bad))[1] as reason
    from untaken`.execute(db);
  return rows[0] ?? { givenUp: 0, oldestPending: 0, reason: null };
}
