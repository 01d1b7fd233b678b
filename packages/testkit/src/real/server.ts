import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../until.ts";
import { freePort } from "./free-ports.ts";
import { inContainers, type RealPart, runFolder } from "./part.ts";
import type { Command, Running, Signal } from "./running.ts";

export type RealServer = {
  readonly port: number;
  /** Its data: kept over `kill` and `start`, gone after `stop`. */
  readonly dir: string;
  /** Ends the process at once, or (SIGSTOP, SIGCONT) halts it and lets it go on. */
  kill(signal?: Signal): Promise<void>;
  /** Starts it again on the same port and data, and waits until it answers. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

export type RealServerPlan = {
  readonly args: (place: { readonly port: number; readonly dir: string }) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Stands before the program, which then is a process where the others are in containers, too. */
  readonly before?: readonly string[];
  /** Makes what must be in its folder before the first start. */
  readonly prepare?: (dir: string, port: number) => Promise<unknown>;
  /** True once it answers in its own protocol. May throw until then. */
  readonly answers: (port: number, dir: string) => Promise<boolean>;
};

/** Stands before a program: it dies with the thread that started it, so that a killed run leaves no server behind. */
export const leash = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "KILL"] : [];

/** Starts a real server on a free loopback port, with an empty folder for its data. */
export async function startRealServer(part: RealPart, plan: RealServerPlan): Promise<RealServer> {
  const dir = await mkdtemp(join(runFolder(), `${part.name}-`));
  const port = await freePort();
  let running: Running | undefined;
  const server: RealServer = {
    port,
    dir,
    async kill(signal = "SIGKILL") {
      await running?.kill(signal);
      if (signal === "SIGKILL") await running?.ended;
    },
    async start() {
      const env = { PATH: process.env.PATH, HOME: dir, ...part.env, ...plan.env };
      const command = { args: plan.args({ port, dir }), env, dir };
      const { before } = plan;
      const apart = inContainers() && before === undefined;
      running = apart ? await inContainer(part, command) : launch(part, command, before);
      await untilItAnswers(part, plan, { port, dir }, running);
    },
    async stop() {
      await server.kill("SIGKILL");
      await rm(dir, { recursive: true, force: true });
    },
  };
  try {
    await plan.prepare?.(dir, port);
    await server.start();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function inContainer(part: RealPart, command: Command): Promise<Running> {
  // Loaded here: other runs have no containers.
  const { launchContainer } = await import("./container.ts");
  return launchContainer(part, command);
}

function launch(part: RealPart, { args: own, env, dir }: Command, before: readonly string[] = []): Running {
  // The leash last: some of what stands before a program would take it off.
  const [file = "", ...args] = [...before, ...leash, part.program, ...own];
  const child = spawn(file, args, { cwd: dir, env, stdio: ["ignore", "pipe", "pipe"] });
  let words = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-4_000);
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", (error) => {
      words += error.message;
      resolve();
    });
  });
  return { kill: async (signal) => void child.kill(signal), ended, words: () => words };
}

async function untilItAnswers(
  part: RealPart,
  plan: RealServerPlan,
  { port, dir }: { port: number; dir: string },
  running: Running,
): Promise<void> {
  const over = running.ended.then(() => {
    throw new Error(`${part.from} ended at once: ${running.words()}`);
  });
  const answering = until(() => plan.answers(port, dir), {
    what: `${part.from} answers on ${port}`,
    timeoutMs: 60_000,
  });
  over.catch(() => undefined);
  await Promise.race([answering, over]);
}
