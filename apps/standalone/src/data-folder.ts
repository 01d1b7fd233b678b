import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { folderTrouble } from "./folder-trouble.ts";
import { isAlive } from "./processes/identity.ts";
import { stopLeftPods } from "./processes/left-pods.ts";
import { type PidFile, pidFiles } from "./processes/pid-files.ts";
import { stopProcess } from "./processes/supervisor.ts";

/** Grows when what lies in the folder changes its meaning. */
const dataVersion = 1;

const Endpoints = z.object({
  platform: z.object({ url: z.string(), port: z.number().int() }).optional(),
  rollback: z.number().int().optional(),
  regions: z
    .record(z.string(), z.object({ api: z.number().int(), mesh: z.number().int(), admin: z.number().int() }))
    .default({}),
});
export type Endpoints = z.infer<typeof Endpoints>;

/** Makes the data folder, or refuses one that is not ours or comes from a newer version. Returns why it refuses. */
export function openDataFolder(folder: string): string | undefined {
  try {
    return openOrRefuse(folder);
  } catch (error) {
    const trouble = folderTrouble(error, folder);
    if (trouble === undefined) throw error;
    return trouble;
  }
}

function openOrRefuse(folder: string): string | undefined {
  const versionFile = join(folder, "version");
  if (existsSync(folder) && !existsSync(versionFile) && readdirSync(folder).length > 0) {
    return `${folder} is not empty and has no version file: it is not a data folder of Slipway. Name another with --data.`;
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(versionFile)) writeFileSync(versionFile, `${dataVersion}\n`);
  // Before anything is changed: a folder of a newer version stays as it is.
  const version = Number(readFileSync(versionFile, "utf8").trim());
  if (!Number.isInteger(version) || version < 1) {
    return `${versionFile} does not hold a data version. Name another folder with --data, or start with --fresh to wipe this one.`;
  }
  if (version > dataVersion) {
    return `${folder} was written by a newer Slipway (data version ${version}, this one knows ${dataVersion}). Update the checkout, or start with --fresh to wipe it.`;
  }
  chmodSync(folder, 0o700);
  for (const name of ["pids", "logs", "git", "regions", "story"])
    mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
  return undefined;
}

/** Stops what `pids/` names, then deletes the folder. Only a folder with a version file is ever deleted. */
export async function wipeDataFolder(folder: string): Promise<string | undefined> {
  if (!existsSync(folder)) return undefined;
  if (!existsSync(join(folder, "version"))) return `${folder} is not a data folder of Slipway: it is left alone.`;
  const pids = pidFiles(join(folder, "pids"));
  const platform = pids.read("platform");
  // First of all, since it starts again whatever of the others ends.
  if (platform !== undefined) await stopProcess(platform, 30_000);
  await Promise.all(pids.all().map((file) => stopProcess(file, 30_000)));
  await stopLeftPods(folder);
  await stopPostgres(folder);
  rmSync(folder, { recursive: true, force: true });
  return undefined;
}

/** A Postgres that outlived its platform: the postmaster's own file names it. */
async function stopPostgres(folder: string): Promise<void> {
  const file = join(folder, "postgres", "postmaster.pid");
  if (!existsSync(file)) return;
  const { startEmbeddedPostgres, silentLogger } = await import("@slipway/sql");
  const postgres = await startEmbeddedPostgres({ dataDir: folder, durability: "full", log: silentLogger });
  await postgres.stop();
}

/** The platform that runs on this folder now, if one does. */
export function livePlatform(folder: string): (PidFile & { url: string }) | undefined {
  const file = pidFiles(join(folder, "pids")).read("platform");
  if (file === undefined || file.pid === process.pid || !isAlive(file)) return undefined;
  return { ...file, url: readEndpoints(folder).platform?.url ?? "" };
}

export function readEndpoints(folder: string): Endpoints {
  const file = join(folder, "endpoints.json");
  try {
    return Endpoints.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    // Not there, or cut off by a crash of the machine: ports are chosen anew. What may not be read is another matter.
    if (error instanceof SyntaxError || error instanceof z.ZodError || !existsSync(file)) return { regions: {} };
    throw error;
  }
}

export function writeEndpoints(folder: string, endpoints: Endpoints): void {
  const file = join(folder, "endpoints.json");
  writeFileSync(`${file}.new`, `${JSON.stringify(endpoints, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
