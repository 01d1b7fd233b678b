import { DurationMs } from "@slipway/contracts";
import type { RunningService, ServiceContext, ServiceModule } from "@slipway/host";
import { z } from "zod";
import { channelHealth, inboxHealth } from "./channel-health.ts";
import { startDeliverer } from "./deliverer.ts";
import { routes } from "./http.ts";
import { slackWebhook } from "./slack-webhook.ts";
import { ensureChannel, forgetNotifications, rerouteToInbox } from "./store.ts";
import { subscriptions } from "./subscriptions.ts";

const Config = z.object({
  /** An incoming webhook of Slack, or of what takes the same format. A secret. Without it there is the inbox alone. */
  SLIPWAY_SLACK_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Notifications that were delivered, or given up. */
  SLIPWAY_KEEP_NOTIFICATIONS: DurationMs.default(90 * 86_400_000),
});
type Config = z.infer<typeof Config>;
type Tables = Record<never, never>;

/** Tells people what they need to know of builds, promotions and deployments. */
export const notificationService: ServiceModule<Config, Tables> = {
  name: "notification-service",
  schema: "notification",
  config: Config,
  start,
};

async function start(context: ServiceContext<Config, Tables>): Promise<RunningService> {
  const { db, bus, clock, log, config, urls, regions } = context;
  const slackUrl = config.SLIPWAY_SLACK_WEBHOOK_URL;
  // Where it listens is known once everything has started.
  const page = () => `${urls.public}/inbox`;
  const channel = slackUrl === undefined ? "inbox" : "slack";
  if (slackUrl === undefined) {
    const rerouted = await rerouteToInbox(db);
    if (rerouted > 0) log.warn({ rerouted }, "no Slack webhook is set: what waited for it is in the inbox alone");
  }
  await ensureChannel(db, channel);
  const slack =
    slackUrl === undefined
      ? undefined
      : {
          channel,
          send: slackWebhook(slackUrl),
          link: (row: { about: string }) => `${page()}#${row.about}`,
        };
  const health = slack === undefined ? inboxHealth : await channelHealth(db, channel);
  const deliverer = startDeliverer({ db, bus, clock, log, slack });
  return {
    routes: (app) => routes(app, db),
    subscriptions: subscriptions({ db, clock, channel, regions, page, startedAt: clock.now(), added: deliverer.wake }),
    ready: async () => undefined,
    trouble: health.trouble,
    figures: health.figures,
    sweep: () => forgetNotifications(db, config.SLIPWAY_KEEP_NOTIFICATIONS),
    close: () => deliverer.stop(),
  };
}
