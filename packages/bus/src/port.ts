import type { CloudEvent } from "@slipway/contracts";

export type HandlerContext = { readonly signal: AbortSignal };

export type Handler = (event: CloudEvent, context: HandlerContext) => Promise<void>;

/** Takes all of them or none, as one transaction does. */
export type BatchHandler = (events: readonly CloudEvent[], context: HandlerContext) => Promise<void>;

export type SubscribeOptions = {
  /** Consumers of one group share the events; each group sees all of them, from the first. */
  readonly group: string;
  readonly topics: readonly string[];
  /**
   * Called at least once per event; events of one subject one after another, in order, across all processes of the
   * group. Throwing means "again later": the subject waits with back-off (100 ms to 30 s), other subjects go on. The
   * signal fires when the lease is lost, after 30 s, or 5 s into a stop; what it still does then must be harmless.
   */
  readonly handler: Handler;
  /**
   * May be called in place of `handler` with several events at once, of one subject or more, in order. What it throws costs nothing: then each of
   * them is given to `handler` by itself.
   */
  readonly batch?: BatchHandler | undefined;
};

export type Subscription = {
  /** Ends after the handlers that run now have ended (at most 10 s later their leases simply run out). */
  stop(): Promise<void>;
};

/** Where a reader of a topic stands: 0 = the beginning, else the `next` of the last answer. Opaque. */
export type ReadPosition = 0 | string;

export type ReadPage = { readonly events: readonly CloudEvent[]; readonly next: ReadPosition };

/** Events between services. At least once, in order per subject, kept for every group on its own. */
export interface Bus {
  /**
   * Durable when it resolves. When it rejects, some of the events may be there: publish all of them again, in the same order. What is published twice
   * may come twice, the second time behind what came after the first: handlers know an event by its id (`inboxOnce`).
   */
  publish(topic: string, events: readonly CloudEvent[]): Promise<void>;
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  /** For display: events after a position, in order per subject, roughly in order of time. */
  read(topic: string, from: ReadPosition, limit: number): Promise<ReadPage>;
  /**
   * Forgets events that are older than this (a day at least) and that every group has read, oldest first, at most so many at a time; answers how
   * many went. A backend with a retention of its own answers 0.
   */
  forget(olderThanMs: number, limit: number): Promise<number>;
  /** Why the bus cannot be used now, as a sentence that says what to do; undefined: nothing is known against it. */
  ready(): Promise<string | undefined>;
  /** Stops every subscription and lets go of connections. */
  close(): Promise<void>;
}
