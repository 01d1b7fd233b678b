import { z } from "zod";
import type { Connection } from "./connection.ts";
import { RegionUnavailable } from "./errors.ts";
import type { Logger, Subscription } from "./port.ts";

/**
 * A list that stays true: list (in pages), then watch from its resourceVersion; bookmarks move it on, 410 lists again.
 *
 *   list ──▶ watch ──ends or breaks──▶ (back-off) ──▶ watch from the last resourceVersion
 *    ▲                   │ 410 Gone
 *    └───────────────────┘
 */
export type ReflectorOptions = {
  readonly connection: Connection;
  readonly path: string;
  /** Which of them, e.g. a label selector. */
  readonly query?: Readonly<Record<string, string>>;
  readonly log: Logger;
  /** 0 <= x < 1. */
  readonly random: () => number;
  /** All objects, after each list. */
  readonly onReplace: (items: readonly unknown[]) => void;
  readonly onChange: (type: "upserted" | "deleted", object: unknown) => void;
  /** Without a line for so long a watch counts as dead. */
  readonly idleMs?: number;
  readonly backOff?: { readonly firstMs: number; readonly mostMs: number };
};

const pageSize = "500";
const quietEnoughMs = 5_000;
const List = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()),
});
const Event = z.looseObject({
  type: z.string(),
  object: z.looseObject({
    message: z.string().optional(),
    metadata: z.looseObject({ resourceVersion: z.string().optional() }).optional(),
  }),
});

export function reflect(options: ReflectorOptions): Subscription {
  const stopping = new AbortController();
  const running = run(options, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** How far the watch has come, and how often in a row it got nowhere. */
type Position = { version: string | null; failures: number };

async function run(options: ReflectorOptions, signal: AbortSignal): Promise<void> {
  const { firstMs, mostMs } = options.backOff ?? { firstMs: 100, mostMs: 15_000 };
  const position: Position = { version: null, failures: 0 };
  while (!signal.aborted) {
    const before = position.version;
    await follow(options, position, signal).catch((error: unknown) => note(options, position, error, signal));
    // A watch that ends without having brought anything counts as a failure: it must not be reopened in a tight loop.
    if (position.version !== null && position.version === before) position.failures += 1;
    if (position.failures === 0 || signal.aborted) continue;
    const ms = Math.min(mostMs, firstMs * 2 ** Math.min(position.failures - 1, 20)) * (0.5 + options.random());
    await sleep(ms, signal);
  }
}

async function follow(options: ReflectorOptions, position: Position, signal: AbortSignal): Promise<void> {
  position.version ??= await list(options);
  const openedAt = performance.now();
  try {
    await watch(options, position, position.version, signal);
  } finally {
    // One that stood for a while and was silent did its work.
    if (performance.now() - openedAt > quietEnoughMs) position.failures = 0;
  }
}

function note({ log, connection, path }: ReflectorOptions, position: Position, error: unknown, signal: AbortSignal) {
  if (signal.aborted) return;
  // What was broken by the network goes on where it was; after anything else the whole list is read again.
  if (!(error instanceof RegionUnavailable || isBrokenStream(error))) position.version = null;
  position.failures += 1;
  log.debug({ region: connection.region, path, err: error, failures: position.failures }, "watch interrupted");
}

function isBrokenStream(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof Error && error.name === "AbortError");
}

async function list({ connection, path, query: which = {}, onReplace }: ReflectorOptions): Promise<string> {
  const items: unknown[] = [];
  let token: string | undefined;
  for (;;) {
    const query = { ...which, limit: pageSize, ...(token === undefined ? {} : { continue: token }) };
    const page = List.parse(await connection.request("GET", path, { query }));
    items.push(...page.items);
    token = page.metadata.continue;
    if (token !== undefined && token !== "") continue;
    onReplace(items);
    return page.metadata.resourceVersion;
  }
}

async function watch(options: ReflectorOptions, position: Position, from: string, signal: AbortSignal) {
  const idle = new AbortController();
  const idleMs = options.idleMs ?? 90_000;
  let timer = setTimeout(() => idle.abort(), idleMs);
  const query = {
    ...options.query,
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion: from,
    timeoutSeconds: String(Math.round(240 + 60 * options.random())),
  };
  try {
    const stream = await options.connection.lines(options.path, query, AbortSignal.any([signal, idle.signal]));
    for await (const line of stream) {
      clearTimeout(timer);
      timer = setTimeout(() => idle.abort(), idleMs);
      position.version = deliver(options, JSON.parse(line)) ?? position.version;
      position.failures = 0;
    }
  } finally {
    clearTimeout(timer);
  }
}

function deliver({ onChange }: ReflectorOptions, line: unknown): string | undefined {
  const event = Event.parse(line);
  if (event.type === "ERROR") throw new Error(event.object.message ?? "the watch answered an error");
  if (event.type === "DELETED") onChange("deleted", event.object);
  else if (event.type !== "BOOKMARK") onChange("upserted", event.object);
  return event.object.metadata?.resourceVersion;
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
