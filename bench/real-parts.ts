import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type RealPart, realPart } from "../packages/testkit/src/index.ts";

/** Why a part of that name cannot be had on this machine. */
export type Missing = Readonly<Record<string, string>>;

const memory = "/dev/shm";

/** Parts of `npm run test:real`, fetched where they are not in the cache, and a folder in which their servers keep their data while the work lasts: in memory if asked. */
export async function withParts<T>(
  names: readonly string[],
  work: (missing: Missing) => Promise<T>,
  inMemory = false,
): Promise<T> {
  const folder = await mkdtemp(join(inMemory && existsSync(memory) ? memory : tmpdir(), "slipway-bench-real-"));
  try {
    const gathered = await gather(names);
    await writeFile(join(folder, "parts.json"), JSON.stringify(gathered));
    process.env.SLIPWAY_REAL_RUN = folder;
    return await work(gathered.missing);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A part that was asked for. Throws where it is missing. */
export function needed(name: string): RealPart {
  const part = realPart(name);
  if (part === undefined) throw new Error(`${name} cannot be had on this machine, or was not asked for`);
  return part;
}

async function gather(names: readonly string[]): Promise<{ missing: Missing }> {
  const script = join(import.meta.dirname, "../scripts/real/gather.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...new Set(names)], { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout) as { missing: Missing };
}
