import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DurationMs } from "@slipway/contracts";
import { podLogs, startAgent, startApiServer } from "@slipway/local-region";
import { z } from "zod";
import { processLog } from "../processes/process-log.ts";
import { reportReady } from "../processes/report-ready.ts";
import { untilFile } from "./until-file.ts";
import { untilSignalled } from "./until-signalled.ts";

const RegionConfig = z.object({
  dataDir: z.string(),
  region: z.string(),
  port: z.number().int(),
  /** Host of the artifact-registry as it stands in images, and the file with the token that may pull. */
  registryHost: z.string(),
  tokenFile: z.string(),
});

/** One local region: its Kubernetes API and its node agent. On SIGTERM its pods end with it; after a kill they live on and are adopted. */
export async function runRegion(text: string): Promise<void> {
  const { dataDir, region, port, registryHost, tokenFile } = RegionConfig.parse(JSON.parse(text));
  const log = processLog(region);
  const dir = join(dataDir, "regions", region);
  const podsDir = join(dir, "agent");
  const api = await startApiServer({ name: region, dir: join(dir, "api"), port, log, podLogs: podLogs(podsDir) });
  await untilFile(tokenFile);
  const password = (await readFile(tokenFile, "utf8")).trim();
  const agent = await startAgent({
    region,
    node: api.node,
    kubeconfig: api.kubeconfigPath,
    dir: podsDir,
    imagesDir: join(dataDir, "images"),
    keepImagesMs: DurationMs.default(7 * 86_400_000).parse(process.env.SLIPWAY_KEEP_IMAGES),
    registries: { [registryHost]: { auth: { username: "node-agent", password } } },
    log,
  });
  reportReady(dataDir, { url: api.url, kubeconfig: api.kubeconfigPath });
  await untilSignalled();
  await agent.stop({ leavePods: false });
  await api.stop();
  process.exit(0);
}
