import { randomUUID } from "node:crypto";
import type { Clock, DeploymentId } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import type { Journal, SetAside } from "./journal.ts";
import type { Entry, News } from "./news.ts";

/** All that follows from a FAIL in the database and on the bus would share the processor with the writes that take the traffic back. */
const failStoredAfterMs = 150;

export type NewsQueueOptions = {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Logger;
  /** Stores one entry, once per key; fails while the database is away, and when the entry cannot be decided. */
  store(entry: Entry): Promise<void>;
  /** Whether the database answers at all. */
  reachable(): Promise<boolean>;
};

/** An entry that failed so often although the database answered is not the database's fault. */
const mostFailures = 3;

/**
 * News on their way into the database, in their order. Each is written to disk at once, whatever the database does: a process that is killed
 * while the database hangs has lost nothing. A FAIL goes on with the first that comes after it, a moment later else: the traffic comes first. An entry that cannot be decided is set aside, so that it holds up none behind it.
 */
export class NewsQueue {
  readonly #options: NewsQueueOptions;
  #waiting: Entry[] = [];
  /** Not even on disk yet: they go there first as soon as it has room. */
  #unwritten: Entry[] = [];
  #trouble: string | undefined;
  #disk: Promise<void> = Promise.resolve();
  #storing: Promise<void> | undefined;
  #failures = 0;
  #aside: SetAside[] = [];

  constructor(options: NewsQueueOptions) {
    this.#options = options;
  }

  /** Takes over what an earlier process left, before any news of this one. */
  async open(): Promise<void> {
    this.#waiting = [...(await this.#options.journal.read())];
    this.#aside = [...(await this.#options.journal.aside())];
  }

  tell(id: DeploymentId, news: News): void {
    const entry: Entry = { key: randomUUID(), id, news };
    this.#waiting.push(entry);
    this.#unwritten.push(entry);
    void this.#write();
    if (news.type === "Failed") setTimeout(() => void this.flush(), failStoredAfterMs);
    else void this.flush();
  }

  /** Why what was done cannot be written down now; what is seen is acted upon all the same. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Entries not yet stored, oldest first. */
  get waiting(): readonly Entry[] {
    return this.#waiting;
  }

  get aside(): readonly SetAside[] {
    return this.#aside;
  }

  /** Writes to the journal one after another. Resolves when it is written, or could not be: the memory has it all the same. */
  onDisk(write: () => Promise<void>): Promise<void> {
    this.#disk = this.#disk
      .then(write)
      .catch((error: unknown) => this.#options.log.error({ err: error }, "the journal could not be written"));
    return this.#disk;
  }

  #write(): Promise<void> {
    return this.onDisk(async () => {
      try {
        for (let next = this.#unwritten[0]; next !== undefined; next = this.#unwritten[0]) {
          await this.#options.journal.append(next);
          this.#unwritten.shift();
        }
        this.#trouble = undefined;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#trouble = `the journal cannot be written (${why}): ${this.#unwritten.length} news are in memory only`;
        throw error;
      }
    });
  }

  /** Stores what waits; resolves when all of it is stored, or the database is away. */
  flush(): Promise<void> {
    this.#storing ??= this.#storeAll().finally(() => {
      this.#storing = undefined;
    });
    return this.#storing;
  }

  async #storeAll(): Promise<void> {
    const { journal } = this.#options;
    let stored = 0;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!(await this.#storeOne(next))) {
        if (this.#unwritten.length > 0) void this.#write();
        return;
      }
      this.#waiting.shift();
      stored += 1;
    }
    if (stored > 0)
      await this.onDisk(async () => {
        if (this.#waiting.length > 0) return;
        this.#unwritten = [];
        this.#trouble = undefined;
        await journal.clear();
      });
  }

  /** False: later. */
  async #storeOne(entry: Entry): Promise<boolean> {
    const { log, store, reachable } = this.#options;
    const about = { watch: entry.id, news: entry.news.type };
    try {
      await store(entry);
      this.#failures = 0;
      return true;
    } catch (error) {
      if (!(await reachable())) {
        log.debug({ err: error, ...about }, "the database is away: it stays in the journal");
        return false;
      }
      this.#failures += 1;
      log.warn({ err: error, ...about, failures: this.#failures }, "news could not be stored");
      if (this.#failures < mostFailures) return false;
      this.#failures = 0;
      await this.#setAside(entry, error instanceof Error ? error.message : String(error));
      return true;
    }
  }

  async #setAside(entry: Entry, reason: string): Promise<void> {
    const at = this.#options.clock.now();
    this.#aside.push({ at, reason, line: JSON.stringify(entry) });
    this.#options.log.error({ watch: entry.id, news: entry.news.type, reason }, "an entry of the journal is set aside");
    await this.onDisk(() => this.#options.journal.setAside(entry, reason, at));
  }
}
