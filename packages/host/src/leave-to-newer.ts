import { type CloudEvent, isOfNewerVersion } from "@slipway/contracts";
import type { Logger } from "@slipway/sql";
import type { Subscription } from "./module.ts";

/** Longer than a rollout of the platform takes. After a way back to an older version nobody comes who knows the event. */
const newerComesWithinMs = 300_000;

/**
 * While two versions run beside each other, the older one may be given events that only the newer one knows: their subject waits, with the reason
 * in the log, until a process of that version takes it. Others go on. After five minutes they are passed over, so that nothing waits for ever.
 */
export function leavingToNewer(subscription: Subscription, log: Logger, now: () => number = Date.now): Subscription {
  const { group, handler, batch } = subscription;
  const isTheirs = (event: CloudEvent): boolean => {
    if (!isOfNewerVersion(event.type)) return false;
    const about = { group, type: event.type, subject: event.subject, event: event.id };
    if (now() - Date.parse(event.time) < newerComesWithinMs) {
      log.info(about, "an event that this version does not know is left to a newer one");
      return true;
    }
    log.warn(about, "an event that this version does not know is passed over");
    return false;
  };
  return {
    ...subscription,
    async handler(event, context) {
      if (isTheirs(event)) throw new Error(`this version does not know ${event.type}: it is left to a newer one`);
      await handler(event, context);
    },
    ...(batch === undefined
      ? {}
      : {
          async batch(events, context) {
            if (events.some((event) => isOfNewerVersion(event.type))) throw new Error("each by itself");
            await batch(events, context);
          },
        }),
  };
}
