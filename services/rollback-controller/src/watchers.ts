import type { WatchRequest } from "@slipway/contracts";
import type { Clock, DeploymentId } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import { compareEpochs } from "./domain/watch.ts";
import type { Journal } from "./journal.ts";
import { type News, type Snapshot, Watcher, type WatcherPorts } from "./watcher.ts";

export type WatchersOptions = {
  readonly ports: Omit<WatcherPorts, "tell">;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly lookEveryMs: number;
  /** Stores a watcher's looks; fails while the database is away. */
  save(watcher: Watcher): Promise<void>;
  /** Ends a watch whose time is over. */
  expire(id: DeploymentId): Promise<void>;
  /** Applies news to the stored watch; fails while the database is away. */
  apply(id: DeploymentId, news: News): Promise<void>;
};

const saveEveryMs = 2_000;
const replayEveryMs = 2_000;

/** All watches of this process: one rhythm of looks, one queue of news, one journal for the time without a database. */
export class Watchers {
  readonly #options: WatchersOptions;
  readonly #byId = new Map<DeploymentId, Watcher>();
  #queue: Promise<void> = Promise.resolve();
  readonly #expiring = new Set<Watcher>();
  readonly #saves = new WeakMap<Watcher, Promise<void>>();
  #timers: NodeJS.Timeout[] = [];
  /** Until the journal was found empty once, news go there: what an earlier process wrote comes first. */
  #journaled = true;

  constructor(options: WatchersOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#lookAll(), this.#options.lookEveryMs),
      setInterval(() => void this.#saveAll(), saveEveryMs),
      setInterval(() => void this.replay(), replayEveryMs),
    ];
  }

  /** Puts what waits in the journal into the database, in its order; without a database it goes on waiting. */
  replay(): Promise<void> {
    return this.#enqueue(() => this.#replay());
  }

  get(id: DeploymentId): Watcher | undefined {
    return this.#byId.get(id);
  }

  all(): readonly Watcher[] {
    return [...this.#byId.values()];
  }

  /** Begins or moves a watch and looks at once: the answer to a PUT is an acknowledgement that this side sees the regions. */
  async arm(id: DeploymentId, spec: WatchRequest): Promise<Watcher> {
    const known = this.#byId.get(id);
    const watcher = known ?? this.restore(id, spec);
    if (known !== undefined) known.move(spec, compareEpochs(spec.epochs, known.spec.epochs) === "newer");
    await watcher.look();
    await this.#enqueue(() => this.#keepSpecs());
    return watcher;
  }

  /** Puts a watch back to work after a restart. */
  restore(id: DeploymentId, spec: WatchRequest, snapshot?: Snapshot): Watcher {
    const tell = (about: DeploymentId, news: News) => this.#tell(about, news);
    const watcher = new Watcher(id, spec, { ...this.#options.ports, tell }, snapshot);
    this.#byId.set(id, watcher);
    return watcher;
  }

  async end(id: DeploymentId): Promise<void> {
    const watcher = this.#byId.get(id);
    if (watcher === undefined) return;
    watcher.state = "ended";
    this.#byId.delete(id);
    await this.#save(watcher);
    await this.#enqueue(() => this.#keepSpecs());
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#saveAll();
    await this.#queue;
  }

  /** A watch whose regions are slow to answer delays itself alone. */
  #lookAll(): void {
    const now = this.#options.clock.now();
    for (const watcher of this.all()) {
      if (watcher.isOver(now)) this.#expire(watcher);
      else if (!watcher.busy) void watcher.look();
    }
  }

  /** Ended in the database first, so that it is not put back to work after a restart; tried again at each look. */
  #expire(watcher: Watcher): void {
    if (this.#expiring.has(watcher)) return;
    this.#expiring.add(watcher);
    void this.#options
      .expire(watcher.id)
      .catch((error: unknown) => this.#options.log.debug({ err: error, watch: watcher.id }, "watch not ended yet"))
      .finally(() => this.#expiring.delete(watcher));
  }

  async #saveAll(): Promise<void> {
    await Promise.all(this.all().map((watcher) => this.#save(watcher)));
  }

  /** One after another for each watch, so that an older snapshot never replaces a newer one. */
  async #save(watcher: Watcher): Promise<void> {
    const before = this.#saves.get(watcher) ?? Promise.resolve();
    const saved = before
      .then(() => this.#options.save(watcher))
      .catch((error: unknown) => this.#options.log.debug({ err: error, watch: watcher.id }, "looks not stored yet"));
    this.#saves.set(watcher, saved);
    await saved;
  }

  #tell(id: DeploymentId, news: News): void {
    void this.#enqueue(() => this.#deliver(id, news));
    // A controller that starts without a database has to know what it had found.
    if (news.type === "Failed") void this.#enqueue(() => this.#keepSpecs());
  }

  /** News keep their order: while older ones wait in the journal, newer ones go there too. */
  async #deliver(id: DeploymentId, news: News): Promise<void> {
    if (!this.#journaled) {
      try {
        await this.#options.apply(id, news);
        return;
      } catch (error) {
        this.#options.log.warn(
          { err: error, watch: id, news: news.type },
          "the database is away: written to the journal",
        );
      }
    }
    this.#journaled = true;
    await this.#options.journal.append(id, news);
  }

  async #replay(): Promise<void> {
    const entries = await this.#options.journal.read();
    if (entries.length === 0) {
      this.#journaled = false;
      return;
    }
    try {
      for (const { id, news } of entries) await this.#options.apply(id, news);
      await this.#options.journal.clear();
      this.#journaled = false;
      this.#options.log.info({ entries: entries.length }, "the journal was replayed into the database");
    } catch (error) {
      this.#journaled = true;
      this.#options.log.debug({ err: error }, "the database is still away");
    }
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue
      .then(work)
      .catch((error: unknown) => this.#options.log.error({ err: error }, "news could not be kept"));
    return this.#queue;
  }

  async #keepSpecs(): Promise<void> {
    const specs = this.all().map(({ id, spec, judgement, state }) => ({
      id,
      spec,
      judgement,
      failed: state === "failed",
    }));
    await this.#options.journal.keepSpecs(specs);
  }
}
