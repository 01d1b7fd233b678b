import type { BatchHandler, Bus, Handler, SubscribeOptions } from "@slipway/bus";
import type { CloudEvent } from "@slipway/contracts";
import { type SeededRandom, seededRandom } from "./seeded-random.ts";

/** A group that is divided anew goes back by a few events at most. */
const remembered = 5;

/**
 * Hands each event on twice, and now and then the last few of its subject once more, in order: what a handler gets where a publisher has sent twice, or where
 * the group was divided anew behind the committed offset. What the repeated call throws counts as of the event, so that it is tried again.
 */
function twice(handler: Handler, random: SeededRandom): Handler {
  const past = new Map<string, CloudEvent[]>();
  return async (event, context) => {
    await handler(event, context);
    await handler(event, context);
    const own = [...(past.get(event.subject) ?? []), event].slice(-remembered);
    past.set(event.subject, own);
    if (random.below(3) > 0) return;
    for (const late of own.slice(random.below(own.length))) await handler(late, context);
  };
}

type Handlers = Pick<SubscribeOptions, "handler" | "batch">;

function inTwos<S extends Handlers>(options: S): S {
  const seed = Number(process.env.SLIPWAY_TEST_SEED) || 1;
  const { batch } = options;
  const both = async (...args: Parameters<BatchHandler>) => {
    await batch?.(...args);
    await batch?.(...args);
  };
  return { ...options, handler: twice(options.handler, seededRandom(seed)), batch: batch && both };
}

/** A bus of which every subscriber gets each event twice, and some of them late again. */
export function doublingBus(bus: Bus): Bus {
  return { ...bus, subscribe: (options) => bus.subscribe(inTwos(options)) };
}

type Consuming<S> = { start(context: never): Promise<{ readonly subscriptions?: readonly S[] }> };

/** The same for a service that a host runs: its subscriptions get what they would get of such a bus. */
export function deliveredTwice<M extends Consuming<Handlers>>(module: M): M {
  return {
    ...module,
    async start(context: never) {
      const running = await module.start(context);
      return { ...running, subscriptions: (running.subscriptions ?? []).map(inTwos) };
    },
  };
}
