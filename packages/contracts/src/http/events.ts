import { z } from "zod";
import { CloudEvent } from "../envelope.ts";
import { topics } from "../events/topics.ts";
import { wholeParameter } from "../whole-number.ts";
import { anyRole, endpoint } from "./endpoint.ts";

/** Every topic of the bus. */
export const topicNames: readonly string[] = topics.map(({ name }) => name);

/** A place in one topic. */
export const EventPosition = z
  .string()
  .regex(/^\d{1,15}(\.\d{1,15})*$/, "a position is 0, or where an earlier answer about the same topic ended");

export const listEvents = endpoint({
  id: "listEvents",
  method: "GET",
  path: "/api/v1/events",
  summary: "Events of one topic as the bus has them: from the first one on, in order for each subject",
  roles: anyRole,
  query: z.object({
    topic: z.enum(topicNames),
    /** `0` = the beginning, else the `next` of the last answer. */
    from: EventPosition.default("0"),
    page_size: wholeParameter(1, 500).prefault(100),
  }),
  status: 200,
  response: z.object({
    events: z.array(CloudEvent),
    /** Where to go on; the same as `from` when there is nothing more yet. */
    next: z.string(),
  }),
});
