import { z } from "zod";
import { topic } from "../envelope.ts";

export const notificationTopic = topic("slipway.notification.v1", "notification", {
  delivered: z.object({
    notification_id: z.string(),
    about: z.string(),
    channel: z.string(),
    attempts: z.number().int(),
  }),
  failed: z.object({
    notification_id: z.string(),
    about: z.string(),
    channel: z.string(),
    attempts: z.number().int(),
    reason: z.string(),
  }),
});
