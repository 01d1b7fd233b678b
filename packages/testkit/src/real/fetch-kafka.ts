import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

export const version = "4.4.0";

const recipe = join(import.meta.dirname, "kafka");
const fetchDeadlineMs = 600_000;

/** `SLIPWAY_REAL_CACHE`, else a place in the user's cache folder. */
export function realCache(): string {
  const users = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return process.env.SLIPWAY_REAL_CACHE || join(users, "slipway", "real");
}

/**
 * The folder of Kafka's jars; brought by Maven once per cache and named after what libs.sha256 says. Takes Java 17 and Maven. Throws Error
 * with the reason when Kafka cannot be had here, or when a jar is not the one that was pinned.
 */
export async function fetch(cacheFolder: string): Promise<string> {
  const pins = await readFile(join(recipe, "libs.sha256"), "utf8");
  const name = createHash("sha256").update(pins).digest("hex").slice(0, 16);
  const folder = join(cacheFolder, `kafka-${version}-${name}`);
  if (await exists(folder)) return folder;
  await mkdir(cacheFolder, { recursive: true });
  const fresh = await mkdtemp(`${folder}.`);
  try {
    await copyFile(join(recipe, "pom.xml"), join(fresh, "pom.xml"));
    await maven(fresh);
    await compare(join(fresh, "libs"), pins);
    await rename(fresh, folder);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    // Somebody else was faster; theirs is the same.
    if (!(await exists(folder))) throw error;
  }
  return folder;
}

async function maven(folder: string): Promise<void> {
  const args = ["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=libs"];
  const child = spawn("mvn", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], timeout: fetchDeadlineMs });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => said.push(String(chunk)));
  const code = await new Promise<number | string | null>((resolve, reject) => {
    child.once("error", (error) =>
      reject(new Error(`Kafka is fetched by Maven (mvn), which does not run: ${error.message}`)),
    );
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
  if (code !== 0) throw new Error(`Maven could not fetch Kafka ${version} (${code}): ${said.join("").slice(-2_000)}`);
}

async function compare(libs: string, pins: string): Promise<void> {
  const wanted = new Map(
    pins
      .trim()
      .split("\n")
      .map((line) => [line.slice(66), line.slice(0, 64)]),
  );
  for (const file of await readdir(libs)) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(libs, file)), hash);
    if (wanted.get(file) !== hash.digest("hex"))
      throw new Error(`${file} of Kafka ${version} is not the one that was pinned`);
    wanted.delete(file);
  }
  if (wanted.size > 0) throw new Error(`Kafka ${version} came without ${[...wanted.keys()].join(", ")}`);
}

const exists = async (path: string): Promise<boolean> =>
  await access(path).then(
    () => true,
    () => false,
  );
