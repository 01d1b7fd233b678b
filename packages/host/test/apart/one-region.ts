import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { podLogs, startAgent, startApiServer, startMesh } from "@slipway/local-region";
import { silentLogger } from "@slipway/sql";

export type OneRegion = {
  /** For SLIPWAY_REGIONS. */
  readonly file: string;
  readonly meshUrl: string;
  /** With which it is spoken to. */
  readonly token: string;
  stop(): Promise<void>;
};

/** A local region whose pods are pulled from this registry, and the regions file that names it. */
export async function oneRegion(
  folder: string,
  registry: { readonly url: string; readonly token: string },
): Promise<OneRegion> {
  const name = "us-east-1";
  const dir = join(folder, "region");
  const pods = join(dir, "agent");
  const api = await startApiServer({
    ...{ name, dir: join(dir, "api"), port: 0, log: silentLogger },
    podLogs: podLogs(pods),
  });
  const agent = await startAgent({
    ...{ region: name, node: api.node, kubeconfig: api.kubeconfigPath, dir: pods, log: silentLogger },
    registries: { [new URL(registry.url).host]: { auth: { username: "node-agent", password: registry.token } } },
  });
  const mesh = await startMesh({
    ...{ region: name, kubeconfig: api.kubeconfigPath, port: 0, adminPort: 0, dir: join(dir, "mesh") },
    log: silentLogger,
  });
  const text = await readFile(api.kubeconfigPath, "utf8");
  const context = /current-context: *"?([\w-]+)/.exec(text)?.[1] ?? name;
  const token = /"?token"?: *"?([^"\s]+)/.exec(text)?.[1];
  if (token === undefined) throw new Error(`${api.kubeconfigPath} has no token`);
  const file = join(folder, "regions.json");
  const entry = { name, kubeconfig: api.kubeconfigPath, context, mesh_url: mesh.url };
  await writeFile(
    file,
    JSON.stringify([{ ...entry, metrics_url: `scrape:${mesh.adminUrl}`, metrics_shape: "slipway" }]),
  );
  return {
    ...{ file, meshUrl: mesh.url, token },
    async stop() {
      await mesh.stop();
      await agent.stop({ leavePods: false });
      await api.stop();
    },
  };
}
