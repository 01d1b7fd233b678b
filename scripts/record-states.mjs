// What this version leaves in its database, and what it publishes, kept for the versions after it:
//
//   node scripts/record-states.mjs
//
// Runs the tests below, in which every machine comes to every phase, with databases that write down each phase as it is committed: real rows with the
// data and the commands of that moment. They go to `services/*/test/released/<version>/<kind>.json`, events to
// `packages/contracts/test/released/<version>/events.json`. What is there of this version stays, so that a new phase adds itself alone.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const services = {
  deployment: "services/deployment-orchestrator",
  rollback: "services/rollback-controller",
  registry: "services/artifact-registry",
  build: "services/build-service",
};
const tests = [
  ...["sharing", "canary", "push", "drift", "ends"].map((name) => `services/deployment-orchestrator/test/${name}`),
  ...["watchers", "watchers-verified", "keeping"].map((name) => `services/rollback-controller/test/${name}`),
  ...["imports", "promotions"].map((name) => `services/artifact-registry/test/${name}`),
  "services/notification-service/test/service",
  ...["build", "crash"].map((name) => `services/build-service/test/${name}`),
].map((path) => `${path}.test.ts`);

const folder = mkdtempSync(join(tmpdir(), "slipway-states-"));
try {
  copyBetween((kept, recorded) => existsSync(kept) && cpSync(kept, recorded, { recursive: true }));
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const args = [vitest, "run", "--project", "integration", "--no-file-parallelism", ...tests];
  const env = { ...process.env, SLIPWAY_RECORD_STATES: folder };
  const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" });
  if (status !== 0) throw new Error("the tests failed: nothing was recorded");
  copyBetween((kept, recorded) => {
    mkdirSync(dirname(kept), { recursive: true });
    cpSync(recorded, kept, { recursive: true });
    process.stdout.write(`${kept.slice(root.length + 1)}: ${readdirSync(dirname(kept)).join(", ")}\n`);
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function copyBetween(copy) {
  for (const [schema, service] of Object.entries(services))
    copy(join(root, service, "test/released", version), join(folder, schema));
  copy(join(root, "packages/contracts/test/released", version, "events.json"), join(folder, "events.json"));
}
