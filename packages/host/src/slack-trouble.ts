import { awake } from "@slipway/kernel";
import { words } from "./service-trouble.ts";

const withinMs = 3_000;

/** What keeps a webhook's host from being reached. Nothing is posted: whether it takes messages shows with the first one. The URL is a secret; its host is none. */
export async function slackTrouble(webhook: string): Promise<readonly string[]> {
  const { origin, host } = new URL(webhook);
  try {
    const answer = await awake(withinMs, (signal) => fetch(origin, { redirect: "manual", signal }));
    await answer.body?.cancel();
    return [];
  } catch (error) {
    return [`${words(error, host)}: let the notification-service out to it, or correct SLIPWAY_SLACK_WEBHOOK_URL`];
  }
}
