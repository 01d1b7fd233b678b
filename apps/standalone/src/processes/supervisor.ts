import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { ProblemError } from "@slipway/contracts";
import type { Logger } from "@slipway/sql";
import { type Identity, identify, isAlive, signal } from "./identity.ts";
import { lastWords } from "./last-words.ts";
import type { PidFiles } from "./pid-files.ts";

export type ChildSpec = {
  readonly name: string;
  readonly role: string;
  readonly config: unknown;
  readonly env?: Readonly<Record<string, string>>;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
};

export type SupervisorOptions = {
  readonly entry: string;
  readonly build: string;
  readonly pids: PidFiles;
  readonly logsDir: string;
  readonly log: Logger;
};

type Kept = { readonly spec: ChildSpec; identity: Identity; failures: number; restartAt: number };

/** The end of what this process started is told by the system; an adopted process has to be looked at. */
const lookEveryMs = 500;
const readyWithinMs = 60_000;
/**
 * A process of ours is idle most of its life: a young generation of 1 MiB (Node's own grows to 48) and one malloc arena that gives memory back make
 * three regions a third smaller, for a few more short collections under load.
 */
const thrifty = {
  flags: ["--max-semi-space-size=1"],
  env: { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "100000" },
};
const leftGraceMs = 15_000;
/** A process in an uninterruptible call ends when that returns. */
const killedWithinMs = 5_000;

/**
 * Keeps the platform's child processes: each in a session of its own, named by a pid file, started again when it dies, and taken over from
 * an earlier platform that was killed.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #kept = new Map<string, Kept>();
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts or adopts a process and waits until it says that it is ready. Rejects with its last words when it does not. */
  async ensure(spec: ChildSpec): Promise<Readonly<Record<string, unknown>>> {
    const identity = (await this.#adopt(spec)) ?? this.#spawn(spec);
    this.#kept.set(spec.name, { spec, identity, failures: 0, restartAt: 0 });
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs);
    return this.#untilReady(spec.name);
  }

  pidOf(name: string): number | undefined {
    return this.#kept.get(name)?.identity.pid;
  }

  /** Stops one process and forgets it, also one that an earlier platform left. */
  async end(name: string): Promise<void> {
    const kept = this.#kept.get(name);
    const identity = kept?.identity ?? this.#options.pids.read(name);
    if (identity === undefined) return;
    this.#kept.delete(name);
    await stopProcess(identity, kept?.spec.graceMs ?? leftGraceMs);
    this.#options.pids.remove(name);
  }

  /** Looks after them no more. They run on, for the next supervisor to adopt. */
  release(): void {
    this.#stopping = true;
    clearInterval(this.#timer);
  }

  /** Stops them all, and what an earlier platform started and this one never needed. */
  async stopAll(): Promise<void> {
    this.release();
    await Promise.all([...this.#kept.keys()].map((name) => this.end(name)));
    const { pids } = this.#options;
    const left = pids.all().filter((file) => file.pid !== process.pid);
    await Promise.all(left.map((file) => stopProcess(file, leftGraceMs).then(() => pids.remove(file.name))));
  }

  async #adopt(spec: ChildSpec): Promise<Identity | undefined> {
    const file = this.#options.pids.read(spec.name);
    if (file === undefined || !isAlive(file)) return undefined;
    if (file.build !== this.#stampOf(spec)) {
      // Of another build, or told other ports and addresses: what it runs is kept on the disk and in its pods.
      await killProcess(file);
      return undefined;
    }
    this.#options.log.info({ process: spec.name, pid: file.pid }, "process adopted");
    return { pid: file.pid, startTime: file.startTime };
  }

  #stampOf({ role, config, env }: ChildSpec): string {
    const told = createHash("sha256")
      .update(JSON.stringify([role, config, env ?? {}]))
      .digest("hex");
    return `${this.#options.build}-${told.slice(0, 16)}`;
  }

  #spawn(spec: ChildSpec): Identity {
    const { entry, pids, logsDir, log } = this.#options;
    const output = openSync(join(logsDir, `${spec.name}.log`), "a", 0o600);
    const child = spawn(process.execPath, [...thrifty.flags, entry, "role", spec.role, JSON.stringify(spec.config)], {
      detached: true,
      stdio: ["ignore", output, output],
      env: { ...withoutKeys(process.env), ...thrifty.env, ...spec.env, SLIPWAY_PID_FILE: spec.name },
    });
    closeSync(output);
    child.once("exit", () => setImmediate(() => this.#look()));
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined)
      throw new Error(`${spec.name} could not be started: see ${join(logsDir, `${spec.name}.log`)}`);
    pids.write({ name: spec.name, ...identity, build: this.#stampOf(spec), ready: null });
    log.info({ process: spec.name, pid: identity.pid }, "process started");
    return identity;
  }

  async #untilReady(name: string): Promise<Readonly<Record<string, unknown>>> {
    const deadline = performance.now() + readyWithinMs;
    while (performance.now() < deadline && !this.#stopping) {
      const file = this.#options.pids.read(name);
      const kept = this.#kept.get(name);
      if (file?.ready != null && file.pid === kept?.identity.pid) return file.ready;
      if ((kept?.failures ?? 0) >= 3) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw notReady(name, join(this.#options.logsDir, `${name}.log`));
  }

  #look(): void {
    if (this.#stopping) return;
    for (const kept of this.#kept.values()) {
      if (isAlive(kept.identity)) continue;
      const now = performance.now();
      if (kept.restartAt === 0) {
        kept.failures += 1;
        const pauseMs = Math.min(100 * 2 ** (kept.failures - 1), 5_000);
        kept.restartAt = now + pauseMs;
        setTimeout(() => this.#look(), pauseMs + 1).unref();
        this.#options.log.warn(
          { process: kept.spec.name, failures: kept.failures },
          "process ended; it is started again",
        );
      }
      if (now < kept.restartAt) continue;
      kept.restartAt = 0;
      kept.identity = this.#spawn(kept.spec);
    }
  }
}

function notReady(name: string, logFile: string): Error {
  const words = lastWords(logFile);
  if (words.includes("EADDRINUSE")) {
    const port = /EADDRINUSE.*:(\d{1,5})\b/.exec(words)?.[1];
    const cause = port === undefined ? undefined : { port: Number(port) };
    return new ProblemError("port.taken", `A port of ${name} was taken meanwhile.`, { cause });
  }
  return new Error(`${name} did not become ready${words === "" ? "" : `: ${words}`} (see ${logFile})`);
}

/** Regions, meshes and the rollback-controller read no secrets, so they are not told the keys. */
function withoutKeys({ SLIPWAY_SECRETS_KEY: _key, SLIPWAY_SECRETS_OLD_KEYS: _old, ...rest }: NodeJS.ProcessEnv) {
  return rest;
}

/** SIGTERM, its grace, then SIGKILL. Resolves when it is gone. */
export async function stopProcess(identity: Identity, graceMs: number): Promise<void> {
  signal(identity, "SIGTERM");
  if (!(await gone(identity, graceMs))) await killProcess(identity);
}

async function killProcess(identity: Identity): Promise<void> {
  signal(identity, "SIGKILL");
  await gone(identity, killedWithinMs);
}

async function gone(identity: Identity, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (isAlive(identity)) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return true;
}
