import type { WatchRequest } from "@slipway/contracts";
import type { Clock, DeploymentId } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import type { Journal, KeptWatch } from "./journal.ts";
import type { News } from "./news.ts";
import type { NewsQueue } from "./news-queue.ts";
import { encode } from "./store.ts";
import { type Snapshot, Watcher, type WatcherPorts } from "./watcher.ts";

export type WatchersOptions = {
  readonly ports: Omit<WatcherPorts, "tell">;
  readonly journal: Journal;
  readonly queue: NewsQueue;
  readonly clock: Clock;
  readonly log: Logger;
  readonly lookEveryMs: number;
  /** Stores a watcher's looks; fails while the database is away. False: another process has the watch. */
  save(watcher: Watcher): Promise<boolean>;
  /** Called with each of its news, before they go anywhere. */
  onNews?(watcher: Watcher, news: News): void;
  /** Ends a watch whose time is over. */
  expire(id: DeploymentId): Promise<void>;
};

const saveEveryMs = 2_000;
const flushEveryMs = 1_000;
/** Watches look in turns: hundreds that begin at the same moment would wait for each other, and all else in the process for them. */
const turns = 4;

/** All watches of this process: one rhythm of looks, one of saving, and the disk where the database is behind. */
export class Watchers {
  readonly #options: WatchersOptions;
  readonly #byId = new Map<DeploymentId, Watcher>();
  readonly #saving = new Map<Watcher, Promise<void>>();
  readonly #unsaved = new Set<Watcher>();
  readonly #expiring = new Set<Watcher>();
  #timers: NodeJS.Timeout[] = [];
  #turn = 0;

  constructor(options: WatchersOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#lookSome(), this.#options.lookEveryMs / turns),
      setInterval(() => void this.#saveAll(), saveEveryMs),
      setInterval(() => void this.#options.queue.flush(), flushEveryMs),
    ];
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
    if (known !== undefined) known.move(spec);
    await watcher.look();
    // For whoever asks another process, which knows what is stored.
    void this.#save(watcher);
    await this.keepOnDisk();
    return watcher;
  }

  /** Puts a watch back to work after a restart. */
  restore(id: DeploymentId, spec: WatchRequest, snapshot?: Snapshot): Watcher {
    const tell = (about: DeploymentId, news: News) => this.#tell(about, news);
    const watcher = new Watcher(id, spec, { ...this.#options.ports, tell }, snapshot);
    this.#byId.set(id, watcher);
    return watcher;
  }

  /** Another process watches it: nothing more of it is stored here. */
  letGo(id: DeploymentId): void {
    const watcher = this.#byId.get(id);
    if (watcher === undefined) return;
    watcher.state = "ended";
    this.#byId.delete(id);
    this.#unsaved.delete(watcher);
  }

  async end(id: DeploymentId): Promise<void> {
    const watcher = this.#byId.get(id);
    if (watcher === undefined) return;
    watcher.state = "ended";
    this.#byId.delete(id);
    await this.#save(watcher);
    await this.keepOnDisk();
  }

  /** What is watched, so that a process that starts without a database knows it. Resolves when it is on disk. */
  keepOnDisk(): Promise<void> {
    const { journal, queue } = this.#options;
    return queue.onDisk(() => journal.keepWatches(this.all().map(keptWatch)));
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const watcher of this.all()) watcher.storeAll();
    await Promise.all(this.all().map((watcher) => this.#save(watcher)));
    await this.#options.queue.flush();
    await this.keepOnDisk();
  }

  /** A watch whose regions are slow to answer delays itself alone. When another one ends its turn may come a little earlier or later, once. */
  #lookSome(): void {
    this.#turn = (this.#turn + 1) % turns;
    const now = this.#options.clock.now();
    for (const [place, watcher] of this.all().entries()) {
      if (place % turns !== this.#turn) continue;
      if (watcher.isOver(now)) this.#expire(watcher);
      else if (watcher.wantsLook()) void watcher.look();
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

  /** While the database is away, or hangs over the last time, what was learned goes to the disk. */
  async #saveAll(): Promise<void> {
    if (this.#saving.size > 0 || this.#unsaved.size > 0) void this.keepOnDisk();
    await Promise.all(this.all().map((watcher) => (this.#saving.has(watcher) ? undefined : this.#save(watcher))));
  }

  /** One after another for each watch, so that an older snapshot never replaces a newer one. */
  #save(watcher: Watcher): Promise<void> {
    const before = this.#saving.get(watcher) ?? Promise.resolve();
    const saved = before
      .then(() => this.#options.save(watcher))
      .then((stored) => {
        if (stored) this.#unsaved.delete(watcher);
        else if (watcher.state !== "ended") this.#unsaved.add(watcher);
      })
      .catch((error: unknown) => {
        this.#options.log.debug({ err: error, watch: watcher.id }, "looks not stored yet");
        if (watcher.state !== "ended") this.#unsaved.add(watcher);
      })
      .finally(() => {
        if (this.#saving.get(watcher) === saved) this.#saving.delete(watcher);
      });
    this.#saving.set(watcher, saved);
    return saved;
  }

  #tell(id: DeploymentId, news: News): void {
    const watcher = this.#byId.get(id);
    if (watcher !== undefined) this.#options.onNews?.(watcher, news);
    this.#options.queue.tell(id, news);
    // A controller that starts without a database has to know what it had found; the requests that shut go out before that.
    if (news.type === "Failed") setImmediate(() => void this.keepOnDisk());
  }
}

function keptWatch(watcher: Watcher): KeptWatch {
  const { id, spec, judgement, state } = watcher;
  return { id, spec, judgement, failed: state === "failed", snapshot: encode(watcher.snapshot()) };
}
