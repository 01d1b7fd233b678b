import { readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { OciError } from "./errors.ts";

const pollMs = 50;
const heartbeatMs = 2_000;
const staleMs = 15_000;
const waitDeadlineMs = 10 * 60_000;

const inThisProcess = new Map<string, Promise<unknown>>();

/**
 * Lets one caller make a thing while the others wait for it, in this process by the promise and between processes by a lock
 * file with the maker's pid. The lock only saves work: whoever makes the thing all the same publishes it by a rename, so that
 * a lock taken over from a dead process, or by two at once, harms nothing.
 */
export async function oneAtATime<T>(options: {
  readonly lock: string;
  readonly signal: AbortSignal | undefined;
  ready(): Promise<T | undefined>;
  make(): Promise<T>;
}): Promise<T> {
  const running = inThisProcess.get(options.lock);
  if (running !== undefined) {
    await running.catch(() => undefined);
    return oneAtATime(options);
  }
  const promise = underLock(options);
  inThisProcess.set(options.lock, promise);
  try {
    return await promise;
  } finally {
    inThisProcess.delete(options.lock);
  }
}

async function underLock<T>(options: Parameters<typeof oneAtATime<T>>[0]): Promise<T> {
  const deadline = performance.now() + waitDeadlineMs;
  for (;;) {
    const there = await options.ready();
    if (there !== undefined) return there;
    if (await take(options.lock)) break;
    if (performance.now() > deadline) throw new OciError("unavailable", `waited too long for ${options.lock}`);
    options.signal?.throwIfAborted();
    await delay(pollMs);
  }
  const heartbeat = setInterval(() => void touch(options.lock), heartbeatMs);
  try {
    return (await options.ready()) ?? (await options.make());
  } finally {
    clearInterval(heartbeat);
    await rm(options.lock, { force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  if (await isAbandoned(lock)) await rm(lock, { force: true });
  return false;
}

async function touch(lock: string): Promise<void> {
  const now = new Date();
  await utimes(lock, now, now).catch(() => undefined);
}

/** A dead holder is seen by its pid at once; one whose pid was given to another process, by its silence. */
async function isAbandoned(lock: string): Promise<boolean> {
  try {
    const holder = Number(await readFile(lock, "utf8"));
    if (holder > 0 && !isAlive(holder)) return true;
    return Date.now() - (await stat(lock)).mtimeMs > staleMs;
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
