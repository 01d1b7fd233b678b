// What this version leaves in its database, and what it publishes, kept for the versions after it:
//
//   node scripts/record-states.mjs [--help]
//
// Runs the tests below, in which every machine comes to every phase, with databases that write down each phase as it is committed: real rows with the
// data and the commands of that moment. They go to `services/*/test/released/<version>/<kind>.json`, events to
// `packages/contracts/test/released/<version>/events.json`. What is there of this version stays, so that a new phase adds itself alone; what was added
// is printed at the end. It takes three minutes on two cores.
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
  ...["sharing", "canary", "push", "drift", "ends", "image-wait", "found-bad"].map(
    (name) => `services/deployment-orchestrator/test/${name}`,
  ),
  ...["watchers", "watchers-verified", "keeping"].map((name) => `services/rollback-controller/test/${name}`),
  ...["imports", "promotions", "publications"].map((name) => `services/artifact-registry/test/${name}`),
  "services/notification-service/test/service",
  ...["build", "crash"].map((name) => `services/build-service/test/${name}`),
].map((path) => `${path}.test.ts`);

if (process.argv.length > 2) {
  const text = readFileSync(fileURLToPath(import.meta.url), "utf8");
  const [head] = text.split("\nimport ");
  process.stdout.write(`${head.replaceAll(/^\/\/ ?/gm, "")}\n`);
  process.exit(process.argv[2] === "--help" ? 0 : 2);
}

const folder = mkdtempSync(join(tmpdir(), "slipway-states-"));
try {
  copyBetween((kept, recorded) => existsSync(kept) && cpSync(kept, recorded, { recursive: true }));
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const args = [vitest, "run", "--project", "integration", "--no-file-parallelism", ...tests];
  const env = { ...process.env, SLIPWAY_RECORD_STATES: folder };
  const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" });
  if (status !== 0) throw new Error("the tests failed: nothing was recorded");
  const before = new Map();
  copyBetween((kept) => {
    for (const file of filesOf(kept)) before.set(file, namesIn(file));
  });
  copyBetween((kept, recorded) => {
    // Of a service none of whose tests ran far enough there is nothing, which is not to be overlooked.
    if (!existsSync(recorded)) throw new Error(`nothing was recorded for ${kept.slice(root.length + 1)}`);
    mkdirSync(dirname(kept), { recursive: true });
    cpSync(recorded, kept, { recursive: true });
    for (const file of filesOf(kept)) tell(file, before.get(file) ?? []);
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** What is kept there now, and what of it is new. */
function tell(file, before) {
  const names = namesIn(file);
  const added = names.filter((name) => !before.includes(name));
  const lines = added.length === 0 ? ["nothing new"] : added.map((name) => `+ ${name}`);
  process.stdout.write(`${file.slice(root.length + 1)}: ${names.length} kept\n  ${lines.join("\n  ")}\n`);
}

function filesOf(path) {
  if (path.endsWith(".json")) return existsSync(path) ? [path] : [];
  return existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : [];
}

/** Scenes by phase and by what is left to do in it, events by type. */
function namesIn(file) {
  const entries = JSON.parse(readFileSync(file, "utf8"));
  return entries.map(
    ({ phase, commands, body }) => body?.type ?? `${phase} with ${commands.join(", ") || "nothing to do"}`,
  );
}

function copyBetween(copy) {
  for (const [schema, service] of Object.entries(services))
    copy(join(root, service, "test/released", version), join(folder, schema));
  copy(join(root, "packages/contracts/test/released", version, "events.json"), join(folder, "events.json"));
}
