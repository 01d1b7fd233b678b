import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { pidFiles } from "../../src/processes/pid-files.ts";

export type Found = { readonly pid: number; readonly command: string };

/**
 * Every process that has to do with a data folder: its name stands in the arguments, the environment, the working folder or the mounts (pods and
 * build steps see nothing of the folder but what is mounted from it).
 */
export function processesOf(dataDir: string): readonly Found[] {
  const name = basename(dataDir);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => places(pid).some((text) => text.includes(name)))
    .map((pid) => ({ pid: Number(pid), command: read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim() }))
    .filter(({ command }) => command !== "");
}

function places(pid: string): readonly string[] {
  return ["cmdline", "environ", "mountinfo"]
    .map((file) => read(`/proc/${pid}/${file}`))
    .concat(link(`/proc/${pid}/cwd`));
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

const PodState = z.object({
  name: z.string(),
  process: z.object({ inner: z.object({ pid: z.number() }) }).nullable(),
});

/** Name and process of each pod that a region's agent runs. */
export function podsOf(dataDir: string, region: string): ReadonlyMap<string, number> {
  const folder = join(dataDir, "regions", region, "agent", "pods");
  const states = readdirSync(folder).map((uid) => PodState.safeParse(parse(join(folder, uid, "state.json"))).data);
  return new Map(states.flatMap((state) => (state?.process == null ? [] : [[state.name, state.process.inner.pid]])));
}

export function pidOf(dataDir: string, name: string): number {
  const pid = pidFiles(join(dataDir, "pids")).read(name)?.pid;
  if (pid === undefined) throw new Error(`there is no process ${name}`);
  return pid;
}

export function postgresPid(dataDir: string): number {
  return Number(readFileSync(join(dataDir, "postgres", "postmaster.pid"), "utf8").split("\n")[0]);
}

/** Undefined where the file is not there, or is being written. */
function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
