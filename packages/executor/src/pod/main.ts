import { keyVariable, podFolders, stepPort } from "../kubernetes/channel.ts";
import { copyRunner } from "./copy-runner.ts";
import { startRunner } from "./runner.ts";

/** Nothing of the cluster's, the runner's or the home's own gets into a step. */
const notTheImages = /^(SLIPWAY_|KUBERNETES_|NODE_OPTIONS$|HOSTNAME$|HOST$|PORT$|HOME$|PWD$|SHLVL$|_$)/;

const { env, argv } = process;
const [, program = "", asked, folder = ""] = argv;
if (asked === "--copy-to") {
  await copyRunner(folder, program);
  process.exit(0);
}
const key = env[keyVariable];
if (key === undefined)
  throw new Error(`${keyVariable} is not set: this program is the first one of a build step's pod`);
const ofImage = Object.entries(env).flatMap(([name, value]) =>
  value === undefined || notTheImages.test(name) ? [] : [[name, value] as const],
);
// As process 1 it gets no signal that it does not ask for.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
const { port } = await startRunner({
  key: Buffer.from(key, "base64"),
  host: env.HOST ?? "::",
  port: Number(env.PORT ?? stepPort),
  folders: podFolders,
  env: Object.fromEntries(ofImage),
});
process.stdout.write(`slipway: waits for its step on port ${port}\n`);
