import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RealPart } from "./part.ts";
import { type RealServer, startRealServer } from "./server.ts";

export type RealPrometheus = RealServer & { readonly url: string };

/** A Prometheus that scrapes one page each second. Its first scrape comes some five seconds after its start. */
export async function startPrometheus(part: RealPart, target: { readonly url: string }): Promise<RealPrometheus> {
  const page = new URL(target.url);
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "900ms" },
    scrape_configs: [{ job_name: "mesh", metrics_path: page.pathname, static_configs: [{ targets: [page.host] }] }],
  };
  const server = await startRealServer(part, {
    args: ({ port, dir }) => [
      ...[`--config.file=${join(dir, "prometheus.yml")}`, `--storage.tsdb.path=${join(dir, "data")}`],
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    answers: async (port) => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok,
    prepare: (dir) => writeFile(join(dir, "prometheus.yml"), JSON.stringify(config)),
  });
  return { ...server, url: `http://127.0.0.1:${server.port}` };
}
