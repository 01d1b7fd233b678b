import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { type Endpoints, readEndpoints } from "../../apps/standalone/src/data-folder.ts";
import { type Client, createClient } from "../../packages/client/src/index.ts";
import { until } from "../../packages/testkit/src/index.ts";

export const home = resolve(import.meta.dirname, "../..");

/** A bundle of the benchmarks' own: the one of `npm start` may be made anew meanwhile. Ignored by git, and dependencies are found from there. */
const bundleFolder = join(home, "apps/standalone/node_modules/.bench");

/** A platform on a data folder, started as `npm start` starts it. */
export type Platform = {
  readonly dataDir: string;
  readonly pid: number;
  /** From starting the program to the line that says that everything is ready. */
  readonly readyMs: number;
  readonly url: string;
  endpoints(): Endpoints;
  as(name: "admin" | "deployer" | "approver" | "viewer"): Client;
  tokenFile(name: string): string;
  /** What Ctrl-C does; waits for the end. */
  stop(): Promise<void>;
};

export async function newDataFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "slipway-bench-"));
}

export async function removeDataFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Bundles the sources as they are now; the program to start. */
export async function bundle(): Promise<string> {
  await promisify(execFile)(process.execPath, [join(home, "scripts/bundle.mjs"), bundleFolder], { cwd: home });
  return join(bundleFolder, "standalone.mjs");
}

/** `program`: a bundle, or scripts/bootstrap.mjs with the word `start` after it. */
export async function startPlatform(
  program: readonly string[],
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Platform> {
  const began = performance.now();
  const child = spawn(process.execPath, [...program, "--data", dataDir, "--no-story"], {
    cwd: home,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env, SLIPWAY_HOME: home },
  });
  // A benchmark that breaks off takes its platform with it.
  const end = () => child.pid !== undefined && existsInGroup(child.pid) && process.kill(-child.pid, "SIGINT");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  const ready = await untilReady(child);
  return platformOf(child, dataDir, ready - began);
}

async function untilReady(child: ChildProcess): Promise<number> {
  let text = "";
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready within 60 s:\n${text}`)), 60_000);
    const read = (chunk: Buffer) => {
      text += chunk.toString();
      if (!text.includes(" are ready after ")) return;
      clearTimeout(timer);
      resolve(performance.now());
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("exit", (code) => reject(new Error(`the platform ended (${code}):\n${text}`)));
  });
}

function platformOf(child: ChildProcess, dataDir: string, readyMs: number): Platform {
  const { pid } = child;
  if (pid === undefined) throw new Error("the platform has no process");
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const clients = new Map<string, Client>();
  const endpoints = () => readEndpoints(dataDir);
  const tokenFile = (name: string) => join(dataDir, "tokens", name);
  const url = endpoints().platform?.url ?? "";
  return {
    ...{ dataDir, pid, readyMs, url, endpoints, tokenFile },
    as(name) {
      const known = clients.get(name);
      if (known !== undefined) return known;
      const client = createClient({ url, token: readFileSync(tokenFile(name), "utf8").trim() });
      clients.set(name, client);
      return client;
    },
    async stop() {
      for (const client of clients.values()) await client.close();
      process.kill(-pid, "SIGINT");
      const late = setTimeout(() => process.kill(-pid, "SIGKILL"), 60_000);
      await gone;
      clearTimeout(late);
      await until(() => !existsInGroup(pid), { what: "the end of the platform's group", timeoutMs: 10_000 });
    },
  };
}

function existsInGroup(pid: number): boolean {
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}
