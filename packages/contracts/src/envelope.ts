import { z } from "zod";
import { InstantSchema } from "./ids.ts";

/** CloudEvents 1.0, structured mode. `subject` is the key: events of one key stay in order. */
export const CloudEvent = z.object({
  specversion: z.literal("1.0"),
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.string().min(1),
  subject: z.string().min(1),
  time: InstantSchema,
  datacontenttype: z.literal("application/json").default("application/json"),
  data: z.unknown(),
});
export type CloudEvent = z.infer<typeof CloudEvent>;

export type Topic<
  Name extends string = string,
  Prefix extends string = string,
  Shapes extends Record<string, z.ZodType> = Record<string, z.ZodType>,
> = {
  readonly name: Name;
  readonly prefix: Prefix;
  readonly shapes: Shapes;
};

/** Declares a topic: `topic("slipway.build.v1", "build", { queued: … })` carries events of type `build.queued`. */
export function topic<const Name extends string, const Prefix extends string, Shapes extends Record<string, z.ZodType>>(
  name: Name,
  prefix: Prefix,
  shapes: Shapes,
): Topic<Name, Prefix, Shapes> {
  return { name, prefix, shapes };
}

/** The union of a topic's events as `{ type, data }`. */
export type EventOf<T> =
  T extends Topic<string, infer Prefix, infer Shapes>
    ? {
        [K in keyof Shapes & string]: { readonly type: `${Prefix}.${K}`; readonly data: z.infer<Shapes[K]> };
      }[keyof Shapes & string]
    : never;

/**
 * Reads an event of a topic. Returns undefined for a type this version does not know (newer publishers may send it);
 * throws ZodError when a known type carries other data than it promises.
 */
export function parseEvent<T extends Topic>(
  of: T,
  event: CloudEvent,
): (EventOf<T> & { readonly meta: CloudEvent }) | undefined {
  const [prefix, ...rest] = event.type.split(".");
  const shape = prefix === of.prefix ? of.shapes[rest.join(".")] : undefined;
  if (shape === undefined) return undefined;
  return { type: event.type, data: shape.parse(event.data), meta: event } as EventOf<T> & { meta: CloudEvent };
}
