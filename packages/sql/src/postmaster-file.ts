import { readdir, readFile, readlink, rm } from "node:fs/promises";
import { join } from "node:path";

export type Postmaster = { readonly pid: number; readonly socketDirectory: string };

/** The lines of postmaster.pid: pid, data folder, start, port, socket folder, address, shared memory, status. */
export function parsePostmasterFile(text: string): Postmaster | undefined {
  const lines = text.split("\n");
  const pid = Number(lines[0]);
  const socketDirectory = lines[4]?.trim() ?? "";
  return Number.isInteger(pid) && pid > 0 && socketDirectory !== "" ? { pid, socketDirectory } : undefined;
}

/** The server of this cluster that runs now, if one does. The same pid may by now belong to another program. */
export async function findPostmaster(cluster: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(cluster, "postmaster.pid"), "utf8").catch(() => "");
  const found = parsePostmasterFile(text);
  return found !== undefined && (await isPostmasterOf(found.pid, cluster)) ? found : undefined;
}

/** False for a zombie: where nobody reaps orphans, an ended server keeps its pid. */
export async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const state = stat.slice(stat.lastIndexOf(")") + 2)[0];
  return state !== undefined && state !== "Z" && state !== "X";
}

/**
 * Postgres believes its lock file whenever any process has that pid, as after a reboot. The file goes only when that
 * process is not ours and no server process of this cluster is left, since it also guards the shared memory.
 */
export async function removeForeignLock(cluster: string): Promise<boolean> {
  const text = await readFile(join(cluster, "postmaster.pid"), "utf8").catch(() => "");
  const pid = Number(text.split("\n")[0]);
  if (!Number.isInteger(pid) || pid <= 0 || !(await isRunning(pid)) || (await isPostmasterOf(pid, cluster)))
    return false;
  if (await someoneWorksIn(cluster)) return false;
  await rm(join(cluster, "postmaster.pid"), { force: true });
  return true;
}

async function isPostmasterOf(pid: number, cluster: string): Promise<boolean> {
  if (!(await isRunning(pid))) return false;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.split("\0").includes(cluster);
}

/** Every process of a cluster has the cluster's folder as its working directory. */
async function someoneWorksIn(cluster: string): Promise<boolean> {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const directory = await readlink(`/proc/${entry}/cwd`).catch(() => "");
    if (directory === cluster) return true;
  }
  return false;
}
