import type { Stored } from "./stored.ts";

/** One change as watches see it. `previous` is undefined for an object that is new. */
export type StoreEvent = {
  readonly revision: number;
  readonly resource: string;
  readonly type: "put" | "remove";
  readonly object: Stored;
  readonly previous: Stored | undefined;
};

/** The newest changes, in order, bounded. */
export class History {
  readonly #limit: number;
  #events: StoreEvent[] = [];
  #oldest: number;

  /** `revision`: what came before is not known. */
  constructor(limit: number, revision: number) {
    this.#limit = limit;
    this.#oldest = revision;
  }

  /** A watch can go on from this revision and from every later one. */
  get oldest(): number {
    return this.#oldest;
  }

  push(event: StoreEvent): void {
    this.#events.push(event);
    // In pieces: taking one off the front for each one added would move the whole list each time.
    if (this.#events.length < this.#limit * 1.25) return;
    const dropped = this.#events.slice(0, this.#events.length - this.#limit);
    this.#events = this.#events.slice(dropped.length);
    this.#oldest = dropped.at(-1)?.revision ?? this.#oldest;
  }

  /** Changes of one resource after a revision; undefined when some of them are forgotten. */
  since(revision: number, resource: string): readonly StoreEvent[] | undefined {
    if (revision < this.#oldest) return undefined;
    return this.#events.filter((event) => event.revision > revision && event.resource === resource);
  }
}
