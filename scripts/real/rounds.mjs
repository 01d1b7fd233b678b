// What tests need beside the parts, and in which rounds they run for that. As with a part: where it cannot be had, tests are skipped by name, and the run fails unless
// --allow-missing names it.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../check/processes.mjs";
import { engineHasReaper, ownEngine } from "./backend.mjs";
import { ownNetwork } from "./network.mjs";

/** By name, and by what a test file says that needs it. */
export const besideParts = {
  network: "hasAddresses()",
  history: "whyNoEarlier()",
  containers: "inContainers()",
};

const needs = (what) => (path) => readFileSync(join(root, path), "utf8").includes(besideParts[what]);

/**
 * Servers of a machine's own engine are in its network, and so must those be who talk to them: there no pod has an address. Tests that give pods addresses run
 * after the others then, with processes for servers, in a network of the run's own.
 */
export async function roundsOf(files, { backend, engine, docker, folder }, network = ownNetwork()) {
  const { through, why } = network;
  const inOwn = { backend: "processes", through, addresses: why === undefined, why };
  if (engine !== undefined) {
    console.log(`\nin containers of the engine at ${engine}; with processes what gives pods addresses`);
    if (!(await engineHasReaper(engine))) {
      console.log(
        "it has no image of testcontainers' reaper: containers of a run that is killed are left (label dev.slipway.real-run)",
      );
      process.env.TESTCONTAINERS_RYUK_DISABLED = "true";
    }
    const own = files.filter(needs("network"));
    const rest = files.filter((path) => !own.includes(path));
    return [
      { backend: "containers", through: [], addresses: false, own: rest },
      { ...inOwn, own },
    ].filter((round) => round.own.length > 0);
  }
  if (docker === undefined) return [{ ...inOwn, own: files }];
  const brought = ownEngine(docker, folder);
  // Its reaper of what is left would have to be pulled; here nothing can be left.
  Object.assign(process.env, { DOCKER_HOST: brought.engine, TESTCONTAINERS_RYUK_DISABLED: "true" });
  const contained = backend === "containers" ? files : files.filter(needs("containers"));
  console.log(`\nin containers of an engine of the run's own${contained === files ? "" : ": what needs them"}`);
  return [
    { ...inOwn, own: files.filter((path) => !contained.includes(path)) },
    { ...inOwn, backend: "containers", through: [...through, ...brought.through], own: contained },
  ].filter((round) => round.own.length > 0);
}

/** Whether some of these files run in containers only. */
export const someNeedContainers = (files) => files.some(needs("containers"));

/** What is missing beside the parts, and why. */
export function missingBesideParts(files, rounds) {
  const why = rounds.find((round) => round.own.some(needs("network")))?.why;
  const unknown = files.some(needs("history")) ? whyNoHistory() : undefined;
  const without = rounds.some((round) => round.backend === "processes" && round.own.some(needs("containers")));
  return {
    ...(without ? { containers: "no engine answers, and none was brought" } : {}),
    ...(why === undefined ? {} : { network: `no network of the run's own (${why})` }),
    ...(unknown === undefined ? {} : { history: unknown }),
  };
}

function whyNoHistory() {
  const text = readFileSync(join(root, "packages/host/test/apart/earlier-services.ts"), "utf8");
  const [, commit = ""] = /earlierCommit = "([0-9a-f]+)"/.exec(text) ?? [];
  const { status } = spawnSync("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: root });
  return status === 0
    ? undefined
    : `the commit ${commit} of the earlier program is not in this clone: git fetch --unshallow`;
}
