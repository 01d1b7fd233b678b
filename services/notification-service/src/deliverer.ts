import type { Bus } from "@slipway/bus";
import { type CloudEvent, notificationTopic } from "@slipway/contracts";
import type { Clock } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import { type Ruling, ruleOn } from "./domain/delivery.ts";
import { slackMessage } from "./domain/slack.ts";
import type { Send } from "./slack-webhook.ts";
import { markAnnounced, type NotificationDb, type Row, recordAttempt, takeTurn, unannounced } from "./store.ts";

export type DelivererOptions = {
  readonly db: NotificationDb;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined: there is no channel but the inbox, and only events are published here. */
  readonly slack: { readonly channel: string; readonly send: Send; link(row: Row): string } | undefined;
};

export type Deliverer = {
  /** Something was added: look at once. */
  wake(): void;
  stop(): Promise<void>;
};

const longestWaitMs = 1_000;

/**
 * Sends what is pending, in order, and publishes what came of it. A message is sent while the transaction that records
 * it holds the channel's row: so two processes never send at once, the pace of one a second holds for all of them, and
 * after a kill the database frees the channel at once. A crash between Slack's answer and the commit sends it twice.
 */
export function startDeliverer(options: DelivererOptions): Deliverer {
  const { db, log, slack } = options;
  const stopping = new AbortController();
  let ring = () => {};
  let rung = false;
  /** Why the last message was not taken; undefined: it was. */
  let failing: string | undefined;

  async function sendNext(): Promise<number> {
    if (slack === undefined) return longestWaitMs;
    return db.transaction().execute(async (tx) => {
      const turn = await takeTurn(tx, slack.channel);
      if (turn.kind === "wait") return Math.min(longestWaitMs, turn.ms ?? longestWaitMs);
      const { row } = turn;
      const result = await slack.send(slackMessage(row.notice, slack.link(row), row.settled), stopping.signal);
      const attempts = row.attempts + 1;
      const ruling = ruleOn(result, attempts);
      await recordAttempt(tx, row, attempts, ruling);
      tell(row, ruling);
      return 0;
    });
  }

  /** A cause once: what is tried again for two days would fill the log with one line. */
  function tell(row: Row, { state, reason }: Ruling): void {
    const about = { notification: idOf(row), about: row.about, state, reason };
    if (reason === null) log.info(about, "notification sent");
    else if (reason !== failing) log.warn(about, "notification not sent");
    else log.debug(about, "notification not sent");
    failing = reason ?? undefined;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const waitMs = await sendNext();
        await announce(options);
        if (waitMs > 0) await pause(waitMs);
      } catch (error) {
        log.warn({ err: error }, "notifications could not be delivered; trying again");
        await pause(longestWaitMs);
      }
    }
  }

  async function pause(ms: number): Promise<void> {
    if (!rung && !stopping.signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        ring = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    rung = false;
    ring = () => {};
  }

  function wake(): void {
    rung = true;
    ring();
  }

  const loop = run();
  return {
    wake,
    async stop() {
      stopping.abort();
      wake();
      await loop;
    },
  };
}

export function idOf(row: Row): string {
  return `N-${row.number}`;
}

async function announce({ db, bus, clock }: DelivererOptions): Promise<void> {
  const rows = await unannounced(db);
  if (rows.length === 0) return;
  await bus.publish(
    notificationTopic.name,
    rows.map((row) => eventOf(row, clock)),
  );
  await markAnnounced(db, rows);
}

function eventOf(row: Row, clock: Clock): CloudEvent {
  const { about, channel, attempts } = row;
  const what = { notification_id: idOf(row), about, channel, attempts };
  const failed = row.state === "failed";
  return {
    specversion: "1.0",
    id: `${idOf(row)}-${row.state}`,
    source: "notification-service",
    type: `notification.${row.state}`,
    subject: about,
    time: clock.now(),
    datacontenttype: "application/json",
    data: failed ? { ...what, reason: row.lastReason ?? "unknown" } : what,
  };
}
