import type { Effects } from "./objects.ts";
import * as paths from "./paths.ts";
import type { Subscription, Target, WatchedTraffic } from "./port.ts";
import { reflect } from "./reflector.ts";
import { VirtualService, watchedOf } from "./virtual-service.ts";

/** Shorter than servers keep a connection to which nothing comes. */
const greetEveryMs = 20_000;

type Listener = { readonly target: Target; readonly onChange: (traffic: WatchedTraffic) => void };

/**
 * Watches of traffic: one list+watch for the whole region, however many targets are looked at; it runs while there is a
 * listener or somebody who wants the routes kept. What it tells is in the event itself: a change costs no request, since many are told of while others are being written.
 */
export class TrafficWatch {
  readonly #effects: Effects;
  readonly #listeners = new Set<Listener>();
  #known = new Map<string, VirtualService>();
  #listed = false;
  readonly #keepers = new Set<object>();
  #greeting: NodeJS.Timeout | undefined;
  #reflector: Subscription | undefined;

  constructor(effects: Effects) {
    this.#effects = effects;
  }

  add(target: Target, onChange: (traffic: WatchedTraffic) => void): Subscription {
    const listener: Listener = { target, onChange };
    this.#listeners.add(listener);
    // Whoever listens has its subscription in hand by then.
    if (this.#listed) queueMicrotask(() => this.#tell(listener));
    this.#reflector ??= this.#start();
    return {
      stop: async () => {
        this.#listeners.delete(listener);
        await this.#stopUnlessWanted();
      },
    };
  }

  /** Goes on without a listener, until this is stopped. */
  keep(): Subscription {
    const keeper = {};
    this.#keepers.add(keeper);
    this.#reflector ??= this.#start();
    this.#greeting ??= this.#greet();
    return {
      stop: async () => {
        this.#keepers.delete(keeper);
        if (this.#keepers.size === 0) this.#endGreeting();
        await this.#stopUnlessWanted();
      },
    };
  }

  /** The watch takes a connection of its own: another one stays open, with the headers at hand, for what is to be written at once. */
  #greet(): NodeJS.Timeout {
    const greet = () => this.#effects.connection.request("GET", "/version").catch(() => undefined);
    void greet();
    return setInterval(greet, greetEveryMs).unref();
  }

  #endGreeting(): void {
    clearInterval(this.#greeting);
    this.#greeting = undefined;
  }

  /** What was told last of a target; undefined where nothing was, or nobody listens. */
  lastTold(target: Target): VirtualService | undefined {
    return this.#listed ? this.#known.get(targetKey(target)) : undefined;
  }

  async stop(): Promise<void> {
    const reflector = this.#reflector;
    this.#reflector = undefined;
    this.#listed = false;
    this.#listeners.clear();
    this.#keepers.clear();
    this.#endGreeting();
    await reflector?.stop();
  }

  async #stopUnlessWanted(): Promise<void> {
    if (this.#listeners.size === 0 && this.#keepers.size === 0) await this.stop();
  }

  #start(): Subscription {
    const { connection, log, random } = this.#effects;
    return reflect({
      connection,
      log,
      random,
      path: paths.allVirtualServices,
      onReplace: (items) => this.#replace(items),
      onChange: (type, object) => this.#change(type, object),
    });
  }

  #replace(items: readonly unknown[]): void {
    const before = this.#known;
    this.#known = new Map();
    for (const item of items) {
      const vs = VirtualService.safeParse(item);
      if (vs.success) this.#known.set(keyOf(vs.data), vs.data);
    }
    const first = !this.#listed;
    this.#listed = true;
    for (const listener of this.#listeners) {
      const key = targetKey(listener.target);
      const same = before.get(key)?.metadata.resourceVersion === this.#known.get(key)?.metadata.resourceVersion;
      if (first || !same) this.#tell(listener);
    }
  }

  #change(type: "upserted" | "deleted", object: unknown): void {
    const vs = VirtualService.safeParse(object);
    if (!vs.success) return;
    const key = keyOf(vs.data);
    if (type === "deleted") this.#known.delete(key);
    else this.#known.set(key, vs.data);
    for (const listener of this.#listeners) {
      if (targetKey(listener.target) === key) this.#tell(listener);
    }
  }

  #tell(listener: Listener): void {
    if (!this.#listeners.has(listener)) return;
    listener.onChange(watchedOf(this.#known.get(targetKey(listener.target)) ?? null));
  }
}

function targetKey({ environment, service }: Target): string {
  return `${environment}/${service}`;
}

function keyOf({ metadata }: VirtualService): string {
  return `${metadata.namespace}/${metadata.name}`;
}
