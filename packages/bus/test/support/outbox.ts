import { setTimeout as after } from "node:timers/promises";
import { testEvent, until } from "@slipway/testkit";
import type { Bus } from "../../src/index.ts";

/** Publishes as an outbox does: each event again and again until it is acknowledged, and the next of its subject only then. */
export type Outbox = {
  /** Ids whose publishing was acknowledged, in that order. */
  readonly acknowledged: readonly string[];
  /** Attempts that were refused. */
  readonly refusals: readonly string[];
  /** Resolves when so many more are acknowledged. */
  grown(by: number, what: string): Promise<void>;
  /** Finishes what is under way. */
  stop(): Promise<void>;
};

export function outbox(bus: Bus, topic: string, { lanes, perLane }: { lanes: number; perLane: number }): Outbox {
  const acknowledged: string[] = [];
  const refusals: string[] = [];
  const stopping = new AbortController();

  async function publish(lane: number): Promise<void> {
    for (let round = 0; !stopping.signal.aborted; round += 1) {
      const subjects = Array.from({ length: perLane }, (_, n) => `S-${lane}-${n}`);
      const events = subjects.map((subject) => testEvent(`${subject}/${round}`, subject, { round }));
      for (;;) {
        try {
          await bus.publish(topic, events);
          break;
        } catch (error) {
          refusals.push(error instanceof Error ? error.message : String(error));
          await after(50);
        }
      }
      acknowledged.push(...events.map(({ id }) => id));
      await after(5);
    }
  }
  const running = Promise.all(Array.from({ length: lanes }, (_, lane) => publish(lane)));
  return {
    acknowledged,
    refusals,
    async grown(by, what) {
      const from = acknowledged.length;
      await until(() => acknowledged.length >= from + by, { what, timeoutMs: 90_000 });
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Every id of a topic from its beginning on. */
export async function allIds(bus: Bus, topic: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for (
    let page = await bus.read(topic, 0, 1_000);
    page.events.length > 0;
    page = await bus.read(topic, page.next, 1_000)
  )
    ids.push(...page.events.map(({ id }) => id));
  return ids;
}

/** Subjects whose events are not in order, first occurrences only. */
export function outOfOrder(ids: readonly string[]): readonly string[] {
  const rounds = new Map<string, number>();
  const wrong = new Set<string>();
  for (const id of new Set(ids)) {
    const [subject = "", round = ""] = id.split("/");
    if (Number(round) !== (rounds.get(subject) ?? -1) + 1) wrong.add(subject);
    rounds.set(subject, Number(round));
  }
  return [...wrong];
}
