import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import type { Logger } from "../agent/types.ts";
import { type KubeClient, KubeError, type Query } from "./client.ts";

/** What every object has. Anything else is read with a schema of its own. */
export const KubeObject = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().default(""),
    uid: z.string().default(""),
    resourceVersion: z.string().default(""),
  }),
});
export type KubeObject = z.infer<typeof KubeObject>;

const List = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().default("") }),
  items: z.array(z.unknown()).nullish(),
});
const WatchEvent = z.looseObject({ type: z.string(), object: z.looseObject({}) });

export type Following = { stop(): Promise<void> };

export type FollowOptions = {
  readonly client: KubeClient;
  /** `/api/v1/pods` */
  readonly path: string;
  readonly query?: Query;
  readonly log: Logger;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  /** Called with all objects by `namespace/name` after the first list and after each change. Must not throw. */
  onChange(objects: ReadonlyMap<string, KubeObject>): void;
};

const watchSeconds = 240;
/** The server ends a watch by itself; a connection that stays silent past that is dead. */
const watchGraceMs = 15_000;

/**
 * Keeps a picture of one kind of object by list and watch. While the API is away the last picture stands; afterwards it is
 * listed anew where the watch cannot go on (410). Ends with stop() only.
 */
export function follow(options: FollowOptions): Following {
  const stopping = new AbortController();
  const done = run(options, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

type Picture = { readonly objects: Map<string, KubeObject>; resourceVersion: string };

async function run(options: FollowOptions, signal: AbortSignal): Promise<void> {
  let picture: Picture | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      picture ??= await firstPicture(options, signal);
      await watch(options, picture, signal);
      failures = 0;
    } catch (error) {
      if (error instanceof KubeError) picture = undefined;
      failures += 1;
      if (!signal.aborted) report(options, failures, error);
    }
    const waitMs = Math.min(1_000, 50 * 2 ** failures) * (0.5 + options.random() / 2);
    await pause(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

async function firstPicture(options: FollowOptions, signal: AbortSignal): Promise<Picture> {
  const picture = await list(options);
  if (!signal.aborted) options.onChange(picture.objects);
  return picture;
}

function report({ log, path }: FollowOptions, failures: number, error: unknown): void {
  const details = { path, failures, message: error instanceof Error ? error.message : String(error) };
  if (failures === 3) log.warn(details, "watch was interrupted");
  else log.debug(details, "watch was interrupted");
}

async function list({ client, path, query = {} }: FollowOptions): Promise<Picture> {
  const answer = List.parse(await client.call("GET", path, { query }));
  const objects = (answer.items ?? []).map((item) => KubeObject.parse(item));
  return {
    objects: new Map(objects.map((object) => [keyOf(object), object])),
    resourceVersion: answer.metadata.resourceVersion,
  };
}

async function watch(options: FollowOptions, picture: Picture, signal: AbortSignal): Promise<void> {
  const query = {
    ...options.query,
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion: picture.resourceVersion,
    timeoutSeconds: String(watchSeconds),
  };
  const deadline = AbortSignal.timeout(watchSeconds * 1_000 + watchGraceMs);
  const answer = await options.client.open(options.path, query, AbortSignal.any([signal, deadline]));
  try {
    for await (const line of linesOf(answer)) {
      if (applyEvent(picture, line) && !signal.aborted) options.onChange(picture.objects);
    }
  } finally {
    answer.destroy();
  }
}

/** True when the picture changed. */
function applyEvent(picture: Picture, line: string): boolean {
  const event = WatchEvent.parse(JSON.parse(line));
  if (event.type === "ERROR") {
    const { code, message } = z.looseObject({ code: z.number(), message: z.string().optional() }).parse(event.object);
    throw new KubeError(code, message ?? "the watch cannot go on");
  }
  const object = KubeObject.safeParse({ ...event.object });
  if (!object.success) {
    picture.resourceVersion = z
      .looseObject({ metadata: z.looseObject({ resourceVersion: z.string() }) })
      .parse(event.object).metadata.resourceVersion;
    return false;
  }
  picture.resourceVersion = object.data.metadata.resourceVersion;
  if (event.type === "BOOKMARK") return false;
  if (event.type === "DELETED") picture.objects.delete(keyOf(object.data));
  else picture.objects.set(keyOf(object.data), object.data);
  return true;
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield line;
  }
}
