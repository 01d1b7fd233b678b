import type { PageShipping, PageView } from "@slipway/contracts";
import type { EventStream } from "@slipway/host";
import { deploymentEvents } from "./deployment-events.ts";
import { logTail } from "./log-tail.ts";
import { type Look, type LookOptions, lookAround } from "./look.ts";

/** One view of the platform for all who look at the page; nothing is read while nobody does. */
export type Feed = {
  /** Sends the view at each change until the reader goes. */
  follow(stream: EventStream): Promise<void>;
  /** Something that this process knows by itself has changed. */
  nudge(): void;
  stop(): void;
};

const lookEveryMs = 1_000;
/** A change of a deployment is shown at once, but no more often than this. */
const shortestMs = 200;

export type FeedOptions = LookOptions & { readonly shipping: () => PageShipping };

export function openFeed(options: FeedOptions): Feed {
  const { client } = options;
  let number = 0;
  let look: Look | undefined;
  let readers = 0;
  let running: AbortController | undefined;
  let wake = Promise.withResolvers<void>();
  let lookSoon = Promise.withResolvers<void>();
  const tail = logTail(() => publish());

  function publish(): void {
    number += 1;
    wake.resolve();
    wake = Promise.withResolvers();
  }

  async function keepLooking(signal: AbortSignal): Promise<void> {
    const followed = deploymentEvents(client, () => lookSoon.resolve());
    while (!signal.aborted) {
      lookSoon = Promise.withResolvers();
      take(await lookAround(options).catch(() => undefined), followed.follow);
      publish();
      await pause(shortestMs);
      await Promise.race([lookSoon.promise, pause(lookEveryMs - shortestMs)]);
    }
    followed.follow(undefined);
    tail.stop();
  }

  function take(found: Look | undefined, follow: (deploymentId: string | undefined) => void): void {
    if (found === undefined) return;
    look = found;
    follow(found.focus?.under_way === true ? found.focus.deployment.deployment_id : undefined);
    if (found.build !== null) tail.follow(client, found.build.build_id);
  }

  function enter(): void {
    readers += 1;
    if (running !== undefined) return;
    running = new AbortController();
    void keepLooking(running.signal);
  }

  function leave(): void {
    readers -= 1;
    if (readers > 0) return;
    running?.abort();
    running = undefined;
    look = undefined;
    lookSoon.resolve();
  }

  return {
    async follow(stream) {
      enter();
      const gone = aborted(stream.signal);
      let seen = -1;
      try {
        while (!stream.signal.aborted) {
          const data = seen === number || look === undefined ? "" : viewOf(look, tail.lines(), options.shipping());
          seen = number;
          const next = wake.promise;
          if (data !== "" && !(await stream.send({ event: "view", data }))) return;
          if (seen === number) await Promise.race([next, gone, pause(lookEveryMs)]);
          await pause(shortestMs / 2);
        }
      } finally {
        leave();
        stream.end();
      }
    },
    nudge() {
      publish();
      lookSoon.resolve();
    },
    stop() {
      running?.abort();
      tail.stop();
    },
  };
}

function viewOf({ build, ...rest }: Look, log: readonly string[], shipping: PageShipping): string {
  const view: PageView = {
    ...rest,
    at: new Date().toISOString(),
    build: build === null ? null : { view: build, log },
    shipping,
  };
  return JSON.stringify(view);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
