import { isDeepStrictEqual } from "node:util";
import type { DeploymentId } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import { compareEpochs } from "./domain/watch.ts";
import { type KeeperRows, type Kept, keptForMs } from "./keeper-rows.ts";
import type { StoredWatch } from "./stored-watches.ts";
import type { Watcher } from "./watcher.ts";
import type { Watchers } from "./watchers.ts";

export type KeeperOptions = {
  readonly rows: KeeperRows;
  readonly watchers: Watchers;
  /** A watch that has not ended, with what its process learned last. */
  load(id: DeploymentId): Promise<StoredWatch | undefined>;
  readonly log: Logger;
};

const roundEveryMs = 1_000;
/** So that several processes share what one that died had. */
const mostAtOnce = 100;

/**
 * Which watches this process has, beside others of its service:
 *
 *   a PUT, or a person's shut, that reaches it   takes that watch, whoever has it
 *   a watch that nobody has said to have for 2.5 s goes to whoever looks first, each looks every second
 *   one that another process took                 is let go here, and nothing more of it is stored
 *
 * While the database is away each goes on with what it has. Two that watch the same for a moment do no harm: they can only lower, under one epoch.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  /** Versions of the rows that this process has heeded. */
  readonly #heeded = new Map<DeploymentId, number>();
  #turn: Promise<unknown> = Promise.resolve();
  #claimsFromMs = 0;
  #rounding = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      if (this.#rounding) return;
      this.#rounding = true;
      void this.round()
        .catch((error: unknown) => this.#options.log.debug({ err: error }, "watches not renewed"))
        .finally(() => {
          this.#rounding = false;
        });
    }, roundEveryMs);
  }

  /** Says what this process has, takes what nobody has, and agrees with the rows. Rejects while the database is away. */
  round(): Promise<void> {
    return this.#inTurn(async () => {
      const { rows } = this.#options;
      try {
        let claimed = performance.now() >= this.#claimsFromMs ? mostAtOnce : 0;
        while (claimed === mostAtOnce) claimed = await rows.claim(mostAtOnce);
        await this.#agree(await rows.renew());
      } catch (error) {
        // Nobody could say anything meanwhile: whoever lives is given the time to do so before it is taken for dead.
        this.#claimsFromMs = performance.now() + keptForMs;
        throw error;
      }
    });
  }

  /** Takes a watch, whoever has it, and goes on from what was stored of it last. `undefined`: there is none that has not ended. */
  take(id: DeploymentId): Promise<Watcher | undefined> {
    return this.#inTurn(async () => {
      const { rows, watchers, load } = this.#options;
      const taken = await rows.take(id);
      if (taken === undefined) return undefined;
      const known = watchers.get(id);
      if (known !== undefined && (taken.from === null || taken.from === rows.holder)) return known;
      watchers.letGo(id);
      this.#heeded.delete(id);
      const stored = await load(id);
      return stored === undefined ? undefined : putToWork(watchers, stored);
    });
  }

  /** The watch has ended. */
  async end(id: DeploymentId): Promise<void> {
    this.#heeded.delete(id);
    await this.#options.watchers.end(id);
    await this.#options.rows.release(id);
  }

  /** Says nothing more of what this process has, so that others take it at once. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#turn;
    await this.#options.rows
      .releaseAll()
      .catch((error: unknown) => this.#options.log.debug({ err: error }, "watches not given back"));
  }

  async #agree(kept: readonly Kept[]): Promise<void> {
    const { watchers } = this.#options;
    const mine = new Set(kept.map(({ id }) => id));
    const others = watchers.all().filter(({ id }) => !mine.has(id));
    for (const { id } of others) {
      watchers.letGo(id);
      this.#heeded.delete(id);
    }
    const changed = await Promise.all(kept.map((one) => this.#heed(one)));
    if (others.length > 0 || changed.includes(true)) await watchers.keepOnDisk();
  }

  /** True: this process begins to watch it, or watches it otherwise. */
  async #heed({ id, phase, version }: Kept): Promise<boolean> {
    const { watchers, load } = this.#options;
    if (phase === "ended") {
      await this.end(id);
      return false;
    }
    const known = watchers.get(id);
    if (known !== undefined && this.#heeded.get(id) === version) return false;
    const stored = await load(id);
    if (stored === undefined) return false;
    this.#heeded.set(id, version);
    if (known === undefined) void putToWork(watchers, stored).look();
    else follow(known, stored);
    return true;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

/** Goes on where the one before left off. */
export function putToWork(watchers: Watchers, { id, spec, judgement, failed, shut, snapshot }: StoredWatch): Watcher {
  const watcher = watchers.restore(id, spec, snapshot);
  watcher.judgement = judgement;
  if (failed && judgement !== null) watcher.resumeFailed(judgement, shut);
  return watcher;
}

/** What another process wrote of it: that it moved, or that it failed. What is newer here is on its way into the row. */
function follow(watcher: Watcher, { spec, judgement, failed, shut }: StoredWatch): void {
  if (compareEpochs(spec.epochs, watcher.spec.epochs) === "older") return;
  if (!isDeepStrictEqual(spec, watcher.spec)) {
    watcher.move(spec);
    void watcher.look();
  }
  if (failed && judgement !== null && watcher.state === "watching") watcher.resumeFailed(judgement, shut);
}
