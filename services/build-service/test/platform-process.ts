import { readConfig, runHost } from "@slipway/host";
import { silentLogger } from "@slipway/sql";
import { buildService } from "../src/index.ts";
import { stubRegistry } from "./stub-registry.ts";

/** A build service in a process of its own, to be killed. Prints its URL and tokens as one line of JSON. */
const setup = JSON.parse(process.argv[2] ?? "{}") as {
  adminUrl: string;
  urls: Record<string, string>;
  dataDir: string;
  bases: string;
  env?: Record<string, string>;
};
const host = await runHost({
  modules: [stubRegistry().module, buildService],
  config: readConfig({
    SLIPWAY_DATA: setup.dataDir,
    SLIPWAY_BASES: setup.bases,
    SLIPWAY_PORT: "0",
    SLIPWAY_GIT_ALLOW_FILE: "true",
    ...setup.env,
  }),
  database: { adminUrl: setup.adminUrl, roleUrl: (role) => setup.urls[role] ?? "" },
  log: silentLogger,
});
process.stdout.write(`${JSON.stringify({ url: host.url, tokens: Object.fromEntries(host.tokens) })}\n`);
