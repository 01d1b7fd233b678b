import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { probeIsolation } from "@slipway/executor";
import { z } from "zod";

/** One line of the doctor. A remedy stands where something should be done. */
export type Check = {
  readonly name: string;
  readonly state: "ok" | "warning" | "bad";
  readonly found: string;
  readonly remedy?: string;
};

const Endpoints = z.object({
  platform: z.object({ url: z.string(), port: z.number() }).optional(),
  regions: z.record(z.string(), z.object({ api: z.number(), mesh: z.number() })).default({}),
});
export type Endpoints = z.infer<typeof Endpoints>;

const ok = (name: string, found: string): Check => ({ name, state: "ok", found });
const bad = (name: string, found: string, remedy: string): Check => ({ name, state: "bad", found, remedy });
const warning = (name: string, found: string, remedy: string): Check => ({ name, state: "warning", found, remedy });

const gibibyte = 1_073_741_824;
const connectWithinMs = 1_000;

export function nodeCheck(version: string): Check {
  const major = Number(version.replace(/^v/, "").split(".")[0]);
  return major >= 24
    ? ok("node", version)
    : warning("node", version, "npm start brings its own Node 24; for the command line alone install Node 24.");
}

export async function gitCheck(): Promise<Check> {
  try {
    const { stdout } = await promisify(execFile)("git", ["--version"], { timeout: 5_000 });
    return ok("git", stdout.trim());
  } catch {
    return bad("git", "not found", "Install git (Debian: apt-get install git).");
  }
}

export async function isolationCheck(): Promise<Check> {
  const isolation = await probeIsolation();
  return isolation.kind === "refused"
    ? bad("isolation", isolation.reason, isolation.remedy)
    : ok("isolation", isolation.description);
}

/** What the platform wrote of itself; undefined where none was started here. */
export function endpointsIn(dataDir: string): Endpoints | undefined {
  const file = join(dataDir, "endpoints.json");
  if (!existsSync(file)) return undefined;
  return Endpoints.safeParse(JSON.parse(readFileSync(file, "utf8"))).data;
}

export async function portsCheck(endpoints: Endpoints | undefined): Promise<Check> {
  const own = endpoints?.platform;
  if (own !== undefined && (await listens(own.port))) return ok("ports", `the platform listens on ${own.port}`);
  const candidates = Array.from({ length: 20 }, (_, index) => 7400 + index);
  const taken = await Promise.all(candidates.map(listens));
  const free = candidates.find((_, index) => taken[index] === false);
  return free === undefined
    ? bad("ports", "7400 to 7419 are all taken", "Free one, or name another in SLIPWAY_PORT.")
    : ok("ports", `${free} is free`);
}

export function dataFolderCheck(dataDir: string): Check {
  if (!existsSync(dataDir)) return ok("data folder", `${dataDir} will be made`);
  try {
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    return bad("data folder", `${dataDir} cannot be written`, "Give it to this user, or name another with --data.");
  }
  if (existsSync(join(dataDir, "version"))) return ok("data folder", dataDir);
  if (readdirSync(dataDir).length === 0) return ok("data folder", `${dataDir} is empty and will be taken`);
  return bad("data folder", `${dataDir} is not a data folder of Slipway`, "Name another with --data.");
}

export function diskCheck(dataDir: string): Check {
  let folder = dataDir;
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  const free = (bavail * bsize) / gibibyte;
  const said = `${free.toFixed(1)} GiB free below ${folder}`;
  if (free < 1) return bad("disk", said, "Free at least 2 GiB: builds, images and Postgres need them.");
  return free < 2 ? warning("disk", said, "Builds with many dependencies may need more.") : ok("disk", said);
}

export function temporaryCheck(): Check {
  const { bavail, bsize } = statfsSync(tmpdir());
  const free = (bavail * bsize) / gibibyte;
  const said = `${free.toFixed(1)} GiB free in ${tmpdir()}`;
  return free < 0.5 ? warning("temporary folder", said, "slipway run works there.") : ok("temporary folder", said);
}

export async function regionChecks(endpoints: Endpoints | undefined): Promise<readonly Check[]> {
  const regions = Object.entries(endpoints?.regions ?? {});
  if (regions.length === 0) return [warning("regions", "no platform was started here", "npm start brings three.")];
  return Promise.all(
    regions.map(async ([name, { api, mesh }]) => {
      const away = [(await listens(api)) ? [] : `API on ${api}`, (await listens(mesh)) ? [] : `mesh on ${mesh}`].flat();
      return away.length === 0
        ? ok(`region ${name}`, `API ${api}, mesh ${mesh}`)
        : bad(`region ${name}`, `${away.join(" and ")} not reachable`, "Start the platform: npm start.");
    }),
  );
}

/** Whether something accepts connections on a port of this machine. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: connectWithinMs });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });
}
