import type { Logger } from "../../agent/types.ts";

export type QueueOptions = {
  readonly log: Logger;
  /** Looks at one key. May throw: it is tried again. The answer says after how many milliseconds to look again. */
  readonly work: (key: string) => number | undefined;
};

const retryMs = 1_000;
/** So many at a time, then requests get their turn. */
const batch = 50;

/** Keys to look at, each once however often it was named meanwhile. Does nothing at all while there are none. */
export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #due = new Set<string>();
  readonly #later = new Map<string, NodeJS.Timeout>();
  #scheduled: NodeJS.Immediate | undefined;
  #stopped = false;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  add(key: string): void {
    if (this.#stopped) return;
    this.#due.add(key);
    this.#scheduled ??= setImmediate(() => this.#run());
  }

  addLater(key: string, ms: number = retryMs): void {
    if (this.#stopped) return;
    clearTimeout(this.#later.get(key));
    const timer = setTimeout(
      () => {
        this.#later.delete(key);
        this.add(key);
      },
      Math.min(ms, 2 ** 31 - 1),
    );
    timer.unref();
    this.#later.set(key, timer);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    for (const timer of this.#later.values()) clearTimeout(timer);
    this.#due.clear();
    this.#later.clear();
  }

  #run(): void {
    this.#scheduled = undefined;
    for (const key of [...this.#due].slice(0, batch)) {
      this.#due.delete(key);
      this.#look(key);
    }
    if (this.#due.size > 0) this.#scheduled ??= setImmediate(() => this.#run());
  }

  #look(key: string): void {
    clearTimeout(this.#later.get(key));
    this.#later.delete(key);
    try {
      const lookAgainMs = this.#options.work(key);
      if (lookAgainMs !== undefined) this.addLater(key, lookAgainMs);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.log.warn({ key, message }, "controller failed; trying again");
      this.addLater(key);
    }
  }
}
