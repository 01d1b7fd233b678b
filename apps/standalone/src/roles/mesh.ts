import { join } from "node:path";
import { startMesh } from "@slipway/local-region";
import { z } from "zod";
import { processLog } from "../processes/process-log.ts";
import { reportReady } from "../processes/report-ready.ts";
import { untilFile } from "./until-file.ts";
import { untilSignalled } from "./until-signalled.ts";

const MeshConfig = z.object({
  dataDir: z.string(),
  region: z.string(),
  kubeconfig: z.string(),
  port: z.number().int(),
  adminPort: z.number().int(),
});

/** The mesh proxy of one region: keeps its last routes while the region's API is away. */
export async function runMesh(text: string): Promise<void> {
  const { dataDir, region, kubeconfig, port, adminPort } = MeshConfig.parse(JSON.parse(text));
  const log = processLog(`mesh-${region}`);
  await untilFile(kubeconfig);
  const mesh = await startMesh({
    region,
    kubeconfig,
    port,
    adminPort,
    dir: join(dataDir, "regions", region, "mesh"),
    log,
  });
  reportReady(dataDir, { url: mesh.url, adminUrl: mesh.adminUrl });
  await untilSignalled();
  await mesh.stop();
  process.exit(0);
}
