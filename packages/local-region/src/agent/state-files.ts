import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const Identity = z.object({ pid: z.number().int(), startTicks: z.number().int(), bootId: z.string() });

const PodState = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  graceMs: z.number(),
  restartCount: z.number().int(),
  /** Ends in a row, for the back-off. */
  failures: z.number().int(),
  startedAt: z.string().nullable(),
  port: z.number().int().nullable(),
  limits: z.enum(["cgroup", "rlimit"]).nullable(),
  imageId: z.string().nullable(),
  /** Null before the first start and after an orderly stop; `starting` until its processes are known. */
  process: z.union([z.literal("starting"), z.object({ outer: Identity, inner: Identity })]).nullable(),
});

/** What must be known of a pod after the agent's death. */
export type PodState = z.infer<typeof PodState>;

/** Files of one pod: `state.json`, `pid` (written by the first process), `log`, `log.1`, `previous.log`, `root/`. */
export function podFolder(dir: string, uid: string): string {
  return join(dir, "pods", uid);
}

export async function writeState(dir: string, state: PodState): Promise<void> {
  const folder = podFolder(dir, state.uid);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "state.json");
  await writeFile(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** State of every pod folder. A folder without a readable state never got as far as a process and is removed. */
export async function readStates(dir: string): Promise<PodState[]> {
  const uids = await readdir(join(dir, "pods")).catch(() => []);
  const states = await Promise.all(uids.map((uid) => readState(dir, uid)));
  return states.filter((state) => state !== undefined);
}

async function readState(dir: string, uid: string): Promise<PodState | undefined> {
  try {
    return PodState.parse(JSON.parse(await readFile(join(podFolder(dir, uid), "state.json"), "utf8")));
  } catch {
    await removePodFolder(dir, uid);
    return undefined;
  }
}

export async function removePodFolder(dir: string, uid: string): Promise<void> {
  await rm(podFolder(dir, uid), { recursive: true, force: true });
}
