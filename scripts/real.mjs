// `npm run test:real`: the adapters against the real parts. Fetches the parts that the chosen test files name into a cache outside of the tree, checks
// them by version and hash, and runs the vitest project `real`, whose tests start and stop the servers themselves.
//
//   real.mjs [--list] [--allow-missing PART]... [FILTER]...     filters choose test files by a part of their path
//
// TEST_BACKEND=containers|processes: whether the servers run in containers or as processes. Without it: in containers where an engine answers, else as processes, but
// for what needs containers, which then has an engine of the run's own.
//
// A part that cannot be had is reported with the reason and its tests are skipped: the run fails then, unless --allow-missing names the part. So is what needs
// containers where no engine can be had; TEST_BACKEND=processes asks for that, and is as good as --allow-missing containers.
//
// A file that hangs ends the run after 12 minutes, with its name and what it was at. Whatever else happens its tests end within 40 minutes; 25 are wanted, and a run
// that took longer says so. Parts that have to be fetched and built first take as long as they take before that: at most 10 minutes for a download and 60 for a build,
// after which the next source is tried, or the part is missing (scripts/real/sources.mjs).
import { randomInt } from "node:crypto";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./check/processes.mjs";
import { runTests } from "./check/tests.mjs";
import { chooseBackend } from "./real/backend.mjs";
import { cached, cacheFolder, have, readParts } from "./real/cache.mjs";
import { besideParts, missingBesideParts, roundsOf, someNeedContainers } from "./real/rounds.mjs";
import { makeRunFolder, temporaryIn } from "./run-folder.mjs";

const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: { list: { type: "boolean" }, "allow-missing": { type: "string", multiple: true, default: [] } },
});
const wantedMs = 25 * 60_000;
const withinMs = 40 * 60_000;
/** Several times what the longest takes. */
const fileMs = 12 * 60_000;

const seed = process.env.SLIPWAY_TEST_SEED ?? String(randomInt(1, 2 ** 31));
const parts = readParts(cacheFolder());
const files = globSync("{packages,services,apps}/*/test/**/*.real.test.ts", { cwd: root })
  .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
  .sort();

if (values.list) list();
else process.exitCode = await runReal();

function list() {
  console.log(`cache: ${cacheFolder()} (SLIPWAY_REAL_CACHE)\n`);
  for (const part of parts) {
    const found = cached(part);
    const wanted = part.sources
      .map(({ kind, package: name, version }) => `${name} ${version} by ${kind}`)
      .join(", else ");
    console.log(`${part.name.padEnd(12)} ${found === undefined ? `to be fetched: ${wanted}` : `ready: ${found.from}`}`);
    console.log(`${"".padEnd(12)} ${part.what}`);
  }
}

async function runReal() {
  const allowed = new Set(values["allow-missing"]);
  const unknown = [...allowed].filter((name) => !(name in besideParts) && !parts.some((part) => part.name === name));
  if (unknown.length > 0) return usage(`no part is called ${unknown.join(", ")}; see --list`);
  if (files.length === 0) return usage(`no test file has ${filters.join(" or ")} in its path`);

  if (process.env.TEST_BACKEND === "processes") allowed.add("containers");

  const { backend, engine, error } = await chooseBackend().catch((thrown) => ({ error: thrown }));
  if (error !== undefined) return usage(error.message);
  const ownDocker = backend === "containers" && engine === undefined;
  // Also where all else is processes, what needs containers has an engine of the run's own.
  const brought = ownDocker || (engine === undefined && !allowed.has("containers") && someNeedContainers(files));
  const needed = neededParts(brought ? ["docker"] : []);
  const { found, missing } = await gather(needed);
  if (ownDocker && found.docker === undefined) {
    console.error(`\nno container engine answers, and none can be brought: ${missing.docker}`);
    return usage("TEST_BACKEND=processes runs the same without containers");
  }
  // What the tests run as other users makes its way through it.
  const folder = makeRunFolder("slipway-real-", { mode: 0o711 });
  const results = [];
  const begunAt = performance.now();
  try {
    Object.assign(process.env, { SLIPWAY_REAL_RUN: folder, TMPDIR: temporaryIn(folder) });
    const rounds = await roundsOf(files, { backend, engine, docker: found.docker, folder });
    Object.assign(missing, missingBesideParts(files, rounds));
    console.log(`Seed ${seed}; the same run again: SLIPWAY_TEST_SEED=${seed} npm run test:real\n`);
    for (const round of rounds) {
      const { through, addresses, own } = round;
      writeFileSync(join(folder, "parts.json"), JSON.stringify({ found, missing, addresses, backend: round.backend }));
      const timeoutMs = begunAt + withinMs - performance.now();
      results.push(await runTests("real*", own, seed, through, { timeoutMs, fileMs }));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const tookMs = performance.now() - begunAt;
  if (tookMs > wantedMs)
    console.log(`\nthe tests took ${Math.round(tookMs / 60_000)} min; ${wantedMs / 60_000} are wanted`);
  return summarize(results, missing, allowed);
}

/** The parts that the chosen files ask for by name: nothing else is fetched. */
function neededParts(besides) {
  const asked = files.flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return [...text.matchAll(/realPart\("([a-z0-9-]+)"\)/g)].map(([, name]) => name);
  });
  return parts.filter(({ name }) => asked.includes(name) || besides.includes(name));
}

async function gather(needed) {
  const found = {};
  const missing = {};
  for (const part of needed) {
    try {
      found[part.name] = have(part, undefined, (text) => console.log(text));
      console.log(`${part.name.padEnd(12)} ${found[part.name].from}`);
    } catch (error) {
      missing[part.name] = error.message;
      console.log(`${part.name.padEnd(12)} MISSING: ${error.message}`);
    }
  }
  return { found, missing };
}

function summarize(results, missing, allowed) {
  const sum = (count) => results.reduce((all, result) => all + (result[count] ?? 0), 0);
  const [passed, failed, skipped] = [sum("passed"), sum("failed"), sum("skipped")];
  const names = results.flatMap((result) => result.names ?? []);
  const output = results.flatMap((result) => (result.output ? [result.output] : [])).join("\n");
  if (output) console.log(output);
  if (names.length > 0) console.log(`\nfailed:\n${names.map((name) => `  ${name}`).join("\n")}`);
  const refused = Object.keys(missing).filter((name) => !allowed.has(name));
  for (const [name, reason] of Object.entries(missing)) console.log(`\nskipped, ${name} is missing: ${reason}`);
  if (refused.length > 0) console.log(`Go on without: ${refused.map((name) => `--allow-missing ${name}`).join(" ")}`);
  console.log(`\n${passed} passed, ${failed + refused.length} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed + refused.length === 0 && passed + skipped > 0 ? 0 : 1;
}

function usage(text) {
  console.error(text);
  return 2;
}
