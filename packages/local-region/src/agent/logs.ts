import { watch } from "node:fs";
import { copyFile, type FileHandle, open, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { podFolder } from "./state-files.ts";
import type { PodLogRequest, PodLogs } from "./types.ts";

/** A log file may grow to this before it becomes `log.1`; so a pod keeps between one and two of these. */
const rotateBytes = 8 * 1_048_576;
const chunkBytes = 64 * 1_024;
const lineEnd = 10;
const lastWordsBytes = 1_024;
/** Where the file system tells nothing, the reader looks by itself. */
const lookEveryMs = 500;

/** Moves logs that have grown too large out of the way. Pods write by themselves, so the file is copied and cut. */
export async function rotateLogs(dir: string, uids: readonly string[]): Promise<void> {
  for (const uid of uids) {
    const log = join(podFolder(dir, uid), "log");
    const size = (await stat(log).catch(() => undefined))?.size ?? 0;
    if (size < rotateBytes) continue;
    await copyFile(log, `${log}.1`).catch(() => undefined);
    await truncate(log, 0).catch(() => undefined);
  }
}

/** The end of what the present container printed, as far as it helps to say why it ended. */
export async function lastWords(dir: string, uid: string): Promise<string> {
  const file = await open(join(podFolder(dir, uid), "log"), "r").catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(lastWordsBytes),
      0,
      lastWordsBytes,
      Math.max(0, size - lastWordsBytes),
    );
    return buffer.toString("utf8", 0, bytesRead).trim();
  } finally {
    await file.close();
  }
}

/** Reader of the logs that the agent on this folder keeps. Needs the folder only, not a running agent. */
export function podLogs(dir: string): PodLogs {
  return (request) => limited(readLogs(dir, request), request.limitBytes ?? Number.POSITIVE_INFINITY);
}

async function* readLogs(dir: string, request: PodLogRequest): AsyncGenerator<Uint8Array> {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(request.uid)) return;
  const folder = podFolder(dir, request.uid);
  const current = join(folder, request.previous === true ? "previous.log" : "log");
  const older = request.previous === true ? undefined : join(folder, "log.1");
  const { tailLines } = request;
  if (older !== undefined && tailLines === undefined) yield* readWhole(older);
  const file = await open(current, "r").catch(() => undefined);
  if (file === undefined) return;
  try {
    const { size } = await file.stat();
    yield* readOn(file, tailLines === undefined ? 0 : await startOfTail(file, size, tailLines), size);
    if (request.follow === true) yield* followFile(file, current, size, request.signal);
  } finally {
    await file.close();
  }
}

async function* readWhole(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return;
  try {
    yield* readOn(file, 0, (await file.stat()).size);
  } finally {
    await file.close();
  }
}

async function* readOn(file: FileHandle, from: number, to: number): AsyncGenerator<Uint8Array> {
  let at = from;
  while (at < to) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(chunkBytes, to - at)), 0, undefined, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Where the last `lines` lines begin, reading backwards. */
async function startOfTail(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines === 0) return size;
  let left = lines;
  for (let end = size; end > 0; end -= chunkBytes) {
    const start = Math.max(0, end - chunkBytes);
    const { buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    for (let at = end - 1; at >= start; at -= 1) {
      // The file's last byte ends its last line and begins none.
      if (buffer[at - start] !== lineEnd || at === size - 1) continue;
      left -= 1;
      if (left === 0) return at + 1;
    }
  }
  return 0;
}

/** New bytes as they come, until the container was started anew, its folder is gone, or the signal fires. */
async function* followFile(
  file: FileHandle,
  path: string,
  from: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const changes = listen(path, signal);
  let at = from;
  try {
    while (signal?.aborted !== true) {
      const { size, ino } = await file.stat();
      if (size < at) at = 0;
      yield* readOn(file, at, size);
      at = size;
      const named = await stat(path).catch(() => undefined);
      if (named?.ino !== ino) return;
      await changes.next();
    }
  } finally {
    changes.close();
  }
}

function listen(path: string, signal: AbortSignal | undefined): { next(): Promise<void>; close(): void } {
  let wake: () => void = () => undefined;
  let changed = false;
  const onChange = (): void => {
    changed = true;
    wake();
  };
  const watcher = watch(path, onChange);
  watcher.on("error", onChange);
  signal?.addEventListener("abort", onChange, { once: true });
  return {
    async next() {
      if (!changed) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, lookEveryMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      changed = false;
    },
    close() {
      watcher.close();
      signal?.removeEventListener("abort", onChange);
    },
  };
}

async function* limited(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let left = limit;
  for await (const chunk of chunks) {
    if (left <= 0) return;
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}
