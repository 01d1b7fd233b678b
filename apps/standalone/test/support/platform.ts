import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, createClient } from "@slipway/client";
import { until } from "@slipway/testkit";
import { type Endpoints, readEndpoints } from "../../src/data-folder.ts";
import { entryPoints, home } from "./bundle.ts";

export type StartOptions = {
  readonly dataDir: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** A platform started as `npm start` starts it, in a process group of its own, as a terminal would. */
export type Platform = {
  readonly pid: number;
  readonly dataDir: string;
  /** Everything it has printed. */
  output(): string;
  /** Waits until it has printed something like this. Rejects with all of its output when it ends before, or prints nothing like it. */
  printed(pattern: RegExp, timeoutMs?: number): Promise<void>;
  /** True once it has ended, however. */
  ended(): boolean;
  /** Its exit code; rejects where it was killed by a signal that nobody here sent. */
  exit(timeoutMs?: number): Promise<number | null>;
  /** kill -9 of this one process: the processes around it live on. */
  kill(): Promise<void>;
  /** What Ctrl-C does: SIGINT to the whole group. */
  interrupt(): void;
  signal(name: NodeJS.Signals): void;
  endpoints(): Endpoints;
  as(name: "admin" | "deployer" | "approver" | "viewer"): Client;
  token(name: string): string;
};

const exitWithinMs = 120_000;
/** Where the platforms of a project listen, if not on the first free port. */
export const portVariable = "SLIPWAY_TEST_PORT";

export function startPlatform({ dataDir, args = [], env = {} }: StartOptions): Platform {
  const child = spawn(process.execPath, [entryPoints.standalone, "--data", dataDir, ...args], {
    cwd: home,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...cleanEnvironment(), ...ownPort(), SLIPWAY_HOME: home, ...env },
  });
  return platformOf(child, dataDir);
}

function ownPort(): Record<string, string> {
  const port = process.env[portVariable];
  return port === undefined ? {} : { SLIPWAY_PORT: port };
}

/** Nothing of the test run's own settings. */
export function cleanEnvironment(): Record<string, string> {
  const names = ["PATH", "HOME", "TMPDIR", "LANG"];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** The last lines of its log. */
function logEnd(dataDir: string): string {
  const file = join(dataDir, "logs", "platform.log");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(-30).join("\n") : "";
}

function platformOf(child: ChildProcess, dataDir: string): Platform {
  if (child.pid === undefined) throw new Error("the platform could not be started");
  const { pid } = child;
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const clients = new Map<string, Client>();
  const endpoints = () => readEndpoints(dataDir);
  const token = (name: string) => readFileSync(join(dataDir, "tokens", name), "utf8").trim();
  return {
    pid,
    dataDir,
    output: () => text,
    async printed(pattern, timeoutMs = 200_000) {
      const found = await until(() => (pattern.test(text) ? "found" : child.exitCode === null ? undefined : "ended"), {
        timeoutMs,
        what: `${pattern} in the output`,
      }).catch(() => "late");
      if (found !== "found" && !pattern.test(text)) throw new Error(`${found}: no ${pattern} in:\n${text}`);
    },
    ended: hasEnded,
    async exit(timeoutMs = exitWithinMs) {
      await until(hasEnded, { timeoutMs, what: "the end of the platform" }).catch((error: unknown) => {
        throw new Error(`it did not end:\n${text}\n${logEnd(dataDir)}`, { cause: error });
      });
      return ended;
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    interrupt: () => void process.kill(-pid, "SIGINT"),
    signal: (name) => void child.kill(name),
    endpoints,
    as(name) {
      const known = clients.get(name);
      if (known !== undefined) return known;
      const { platform, rollback } = endpoints();
      const client = createClient({
        url: platform?.url ?? "",
        urls: { "rollback-controller": `http://127.0.0.1:${rollback}` },
        token: token(name),
      });
      clients.set(name, client);
      return client;
    },
    token,
  };
}
