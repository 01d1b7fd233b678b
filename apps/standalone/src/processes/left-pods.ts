import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { stopPods } from "@slipway/local-region";

/** Ends the pods of regions whose own process is gone: they outlive it by design, and nobody else would end them. */
export async function stopLeftPods(dataDir: string): Promise<void> {
  const regions = await readdir(join(dataDir, "regions")).catch(() => []);
  await Promise.all(regions.map((region) => stopPods(join(dataDir, "regions", region, "agent"))));
}
