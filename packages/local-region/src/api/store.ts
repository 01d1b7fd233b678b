import type { Logger } from "../agent/types.ts";
import { internal } from "./api-error.ts";
import { History, type StoreEvent } from "./history.ts";
import { type Change, Journal, type Snapshot } from "./journal.ts";
import { idOf, type Resource } from "./resources.ts";
import { keyOf, type Stored } from "./stored.ts";

export type StoreOptions = {
  readonly dir: string;
  readonly log: Logger;
  readonly historyLimit: number;
  readonly journalLimitBytes: number;
};

type Pending = {
  readonly changes: readonly Change[];
  readonly resolve: () => void;
  readonly reject: (e: Error) => void;
};
type Kind = Pick<Resource, "group" | "plural">;

/**
 * All objects of a region, with one revision that only grows.
 *
 *   put/remove ──▶ latest (decisions) ──▶ journal, synced ──▶ durable (reads, lists, watches) ──▶ answer
 *
 * Decisions are made against `latest`, synchronously, so that two writers cannot both win; nobody is shown anything
 * that a power cut could take back.
 */
export class Store {
  readonly #journal: Journal;
  readonly #log: Logger;
  readonly #journalLimitBytes: number;
  #foldAtBytes: number;
  readonly #history: History;
  readonly #latest = new Map<string, Map<string, Stored>>();
  readonly #durable = new Map<string, Map<string, Stored>>();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #lossListeners = new Set<() => void>();
  #next: number;
  #revision: number;
  #pending: Pending[] = [];
  #flushing: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #closing = false;

  private constructor(journal: Journal, snapshot: Snapshot, changes: readonly Change[], options: StoreOptions) {
    this.#journal = journal;
    this.#log = options.log;
    this.#journalLimitBytes = options.journalLimitBytes;
    this.#foldAtBytes = options.journalLimitBytes;
    this.#history = new History(options.historyLimit, snapshot.revision);
    for (const { resource, object } of snapshot.objects)
      table(this.#durable, resource).set(keyOf(object.metadata), object);
    this.#revision = snapshot.revision;
    for (const change of changes) this.#apply(change);
    for (const [resource, objects] of this.#durable) this.#latest.set(resource, new Map(objects));
    this.#next = this.#revision + 1;
  }

  static async open(options: StoreOptions): Promise<Store> {
    const { journal, snapshot, changes } = await Journal.open(options.dir);
    return new Store(journal, snapshot, changes, options);
  }

  /** Of the newest change that is on the disk. */
  get revision(): number {
    return this.#revision;
  }

  /** False after a write that the disk did not take, until it takes one. */
  get writable(): boolean {
    return this.#journal.writable;
  }

  /** Oldest revision that a watch can start from. */
  get oldest(): number {
    return this.#history.oldest;
  }

  get(resource: Kind, key: string): Stored | undefined {
    return this.#durable.get(idOf(resource))?.get(key);
  }

  /** Sorted by namespace and name. */
  list(resource: Kind, namespace?: string): Stored[] {
    return sorted(this.#durable.get(idOf(resource)), namespace);
  }

  /** As it will be when all writes under way are on the disk. For decisions. */
  latest(resource: Kind, key: string): Stored | undefined {
    return this.#latest.get(idOf(resource))?.get(key);
  }

  listLatest(resource: Kind, namespace?: string): Stored[] {
    return sorted(this.#latest.get(idOf(resource)), namespace);
  }

  /** Takes hold at once for decisions; the promise resolves when it is durable. Gives the object its resourceVersion. */
  put(resource: Kind, object: Stored): { readonly object: Stored; readonly written: Promise<void> } {
    return this.#write(resource, "put", object);
  }

  remove(resource: Kind, object: Stored): { readonly object: Stored; readonly written: Promise<void> } {
    return this.#write(resource, "remove", object);
  }

  /** Changes of one resource after a revision; undefined when some of them are forgotten. */
  since(revision: number, resource: Kind): readonly StoreEvent[] | undefined {
    return this.#history.since(revision, idOf(resource));
  }

  /** Called for each durable change, in order of revisions. The answer ends it. */
  onChange(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called when writes that `latest` showed were not taken by the disk and are undone. The answer ends it. */
  onLoss(listener: () => void): () => void {
    this.#lossListeners.add(listener);
    return () => this.#lossListeners.delete(listener);
  }

  /** Resolves when all that `latest` shows now is durable; rejects as those writes do. */
  settled(): Promise<void> {
    return this.#last;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#flushing;
    await this.#journal.close();
  }

  #write(resource: Kind, type: Change["type"], given: Stored) {
    if (this.#closing) throw internal("the server is stopping");
    const revision = this.#next;
    this.#next += 1;
    const object = { ...given, metadata: { ...given.metadata, resourceVersion: String(revision) } };
    const change: Change = { revision, resource: idOf(resource), type, object };
    const objects = table(this.#latest, change.resource);
    if (type === "put") objects.set(keyOf(object.metadata), object);
    else objects.delete(keyOf(object.metadata));
    const written = new Promise<void>((resolve, reject) => {
      this.#pending.push({ changes: [change], resolve, reject });
    });
    // Who does not wait for it (a controller) must not end the process with it.
    written.catch(() => undefined);
    this.#last = written;
    this.#flushing ??= this.#flush();
    return { object, written };
  }

  /** All that gathered while the last sync ran goes out with one sync. */
  async #flush(): Promise<void> {
    // What is written in this turn goes out together.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      const changes = batch.flatMap((pending) => pending.changes);
      try {
        await this.#journal.append(changes);
      } catch (error) {
        this.#lose(error, batch);
        continue;
      }
      for (const change of changes) this.#publish(change);
      for (const { resolve } of batch) resolve();
      await this.#fold();
    }
    // In the same turn as the last look at what is pending: a write that came later would wait for ever.
    this.#flushing = undefined;
  }

  async #fold(): Promise<void> {
    if (this.#journal.bytes < this.#foldAtBytes) return;
    const objects = [...this.#durable].flatMap(([resource, kept]) =>
      [...kept.values()].map((object) => ({ resource, object })),
    );
    try {
      await this.#journal.replace({ revision: this.#revision, objects });
      this.#foldAtBytes = this.#journalLimitBytes;
    } catch (error) {
      // Nothing is lost: the journal holds all. Not with every write, for each attempt writes everything.
      this.#foldAtBytes = 2 * this.#journal.bytes;
      this.#log.warn({ message: messageOf(error) }, "the journal could not be folded into a snapshot");
    }
  }

  /** Undoes what the disk did not take, with everything that was decided on top of it. The next write tries again. */
  #lose(error: unknown, batch: readonly Pending[]): void {
    const message = `objects cannot be written: ${messageOf(error)}`;
    this.#log.error({ message }, "writes were lost");
    const lost = [...batch, ...this.#pending];
    this.#pending = [];
    this.#latest.clear();
    for (const [resource, objects] of this.#durable) this.#latest.set(resource, new Map(objects));
    this.#next = this.#revision + 1;
    this.#last = Promise.resolve();
    for (const { reject } of lost) reject(internal(message));
    for (const listener of this.#lossListeners) listener();
  }

  #publish(change: Change): void {
    const event = this.#apply(change);
    for (const listener of this.#listeners) listener(event);
  }

  #apply({ revision, resource, type, object }: Change): StoreEvent {
    const objects = table(this.#durable, resource);
    const key = keyOf(object.metadata);
    const event = { revision, resource, type, object, previous: objects.get(key) };
    if (type === "put") objects.set(key, object);
    else objects.delete(key);
    this.#revision = revision;
    this.#history.push(event);
    return event;
  }
}

function table(tables: Map<string, Map<string, Stored>>, resource: string): Map<string, Stored> {
  const present = tables.get(resource);
  if (present !== undefined) return present;
  const objects = new Map<string, Stored>();
  tables.set(resource, objects);
  return objects;
}

function sorted(objects: ReadonlyMap<string, Stored> | undefined, namespace: string | undefined): Stored[] {
  const entries = [...(objects ?? [])].filter(([key]) => namespace === undefined || key.startsWith(`${namespace}/`));
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
