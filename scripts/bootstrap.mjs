// What stands behind `npm start`, `npm test` and `npm run bench`: plain JavaScript without dependencies, for any Node from 18 on.
//
//   bootstrap.mjs COMMAND [ARGS]
//
// 1. Brings Node 24 where the machine's is older (from the lock file in scripts/node, into the user's cache folder) and starts itself again with it.
// 2. Installs the dependencies where the lock file has changed since the last time.
// 3. Bundles the platform where its sources have changed.
// 4. Runs the command.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { userCache } from "./user-cache.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const wantedNode = [24, 15];
const pnpmVersion = "10.34.9";
const [command = "start", ...args] = process.argv.slice(2);

/** The platform is idle most of its life: little room for young objects, and a malloc that gives memory back (as its child processes have it). */
const thrifty = {
  flags: ["--max-semi-space-size=1"],
  env: { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "100000" },
};

process.on("uncaughtException", (error) => fail(error instanceof Error ? error.message : String(error)));

if (isOld(process.versions.node)) {
  const node = bringNode();
  run(node, [fileURLToPath(import.meta.url), command, ...args], withNode(node));
} else {
  main();
}

function main() {
  const env = withNode(process.execPath);
  installDependencies(env);
  const programs = {
    start: () =>
      become(process.execPath, [...thrifty.flags, bundle(env), ...args], {
        ...env,
        ...thrifty.env,
        SLIPWAY_HOME: root,
      }),
    test: () => run(process.execPath, [join(root, "scripts/check.mjs"), ...args], env),
    soak: () => run(process.execPath, [join(root, "scripts/soak.mjs"), ...args], env),
    real: () => run(process.execPath, [join(root, "scripts/real.mjs"), ...args], env),
    bench: () => run(process.execPath, ["--conditions=@slipway/source", join(root, "bench/run.ts"), ...args], env),
    prepare: () => bundle(env),
    slipway: () =>
      run(process.execPath, [join(dirname(bundle(env)), "slipway.mjs"), ...args], { ...env, SLIPWAY_HOME: root }),
  };
  const program = programs[command];
  if (program === undefined) fail(`there is no command ${command}; one of: ${Object.keys(programs).join(", ")}`);
  program();
}

function isOld(version) {
  const [major, minor] = version.split(".").map(Number);
  return major < wantedNode[0] || (major === wantedNode[0] && minor < wantedNode[1]);
}

/** The path of a Node 24 in the user's cache; fetched once per lock file, by a name that is only given to a whole folder. */
function bringNode() {
  const platform = `node-${process.platform}-${process.arch}`;
  const lock = readFileSync(join(root, "scripts/node/package-lock.json"));
  const folder = userCache(`node-${createHash("sha256").update(lock).digest("hex").slice(0, 16)}`);
  const node = join(folder, "node_modules", platform, "bin", "node");
  if (existsSync(node)) return node;
  if (!lock.includes(`node_modules/${platform}`)) {
    fail(
      `Slipway runs on Node ${wantedNode.join(".")} or later; this is ${process.versions.node}, and there is no packaged Node for ${platform}. Install Node 24.`,
    );
  }
  say(`Node ${process.versions.node} is too old for Slipway: fetching Node 24 (once, about 190 MB) ...`);
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  cpSync(join(root, "scripts/node"), fresh, { recursive: true });
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], {
    cwd: fresh,
    stdio: ["ignore", 2, 2],
  });
  if (npm.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    fail(
      "Node 24 could not be fetched from the package registry. Check the network and `npm config get registry`, or install Node 24 yourself.",
    );
  }
  try {
    renameSync(fresh, folder);
  } catch {
    // Somebody else was faster; theirs is the same.
    rmSync(fresh, { recursive: true, force: true });
  }
  return node;
}

/** Children (hooks, test workers, the command line) get the same Node. */
function withNode(node) {
  return { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ""}` };
}

function installDependencies(env) {
  const stamp = join(root, "node_modules", ".slipway-installed");
  const wanted = hashFiles(["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", ...manifests()]);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  say("Installing dependencies ...");
  const began = Date.now();
  const npx = spawnSync(
    "npx",
    ["-y", `pnpm@${pnpmVersion}`, "install", "--frozen-lockfile", "--reporter=append-only", "--loglevel=warn"],
    {
      cwd: root,
      env: { ...env, CI: "true", npm_config_update_notifier: "false" },
      stdio: ["ignore", 2, 2],
    },
  );
  if (npx.status !== 0)
    fail("The dependencies could not be installed. Check the network and `npm config get registry`.");
  writeFileSync(stamp, wanted);
  say(`Dependencies installed in ${Math.round((Date.now() - began) / 1000)} s.`);
}

function manifests() {
  return ["packages", "services", "apps"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .sort()
      .map((name) => `${folder}/${name}/package.json`)
      .filter((path) => existsSync(join(root, path))),
  );
}

/** The platform as one bundle, made again when a source has changed; its entry point. */
function bundle(env) {
  const folder = join(root, "apps/standalone/dist");
  const stamp = join(folder, ".made-of");
  const sources = ["packages", "services", "apps"].flatMap((top) => sourcesBelow(top));
  const wanted = hashFiles(["pnpm-lock.yaml", "scripts/bundle.mjs", ...sources]);
  const entry = join(folder, "standalone.mjs");
  if (existsSync(entry) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) {
    // Newer than every source again: ./slipway looks at nothing else.
    const now = new Date();
    utimesSync(stamp, now, now);
    return entry;
  }
  say("Building the platform from its sources ...");
  const made = spawnSync(process.execPath, [join(root, "scripts/bundle.mjs")], {
    cwd: root,
    env,
    stdio: ["ignore", 2, 2],
  });
  if (made.status !== 0) fail("The platform could not be bundled: see the errors above.");
  writeFileSync(stamp, wanted);
  return entry;
}

function sourcesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.name !== "node_modules" && entry.name !== "dist" && entry.name !== "test")
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? sourcesBelow(join(folder, entry.name)) : [join(folder, entry.name)]))
    .filter((path) => /\.(ts|tsx|mjs|json|css|html)$/.test(path) && !path.endsWith(".test.ts"));
}

function hashFiles(paths) {
  const hash = createHash("sha256").update(process.versions.node);
  for (const path of paths)
    hash.update(`\n${path} ${statSync(join(root, path)).size}\n`).update(readFileSync(join(root, path)));
  return hash.digest("hex");
}

/** Runs a program in this one's place: signals go on to it, and its exit code is ours. */
function run(program, programArgs, env) {
  const child = spawn(program, programArgs, { cwd: process.env.INIT_CWD ?? process.cwd(), env, stdio: "inherit" });
  // Ctrl-C reaches the whole group by itself; what is sent to this process alone is passed on.
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  process.on("SIGINT", () => {});
  child.on("error", (error) => fail(error.message));
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
}

/** Replaces this process by the program, so that nothing stands beside it for as long as it runs; where Node cannot, it is run as a child. */
function become(program, programArgs, env) {
  if (typeof process.execve !== "function") return run(program, programArgs, env);
  // Node warns that it is new.
  process.removeAllListeners("warning");
  process.chdir(process.env.INIT_CWD ?? process.cwd());
  process.execve(program, [program, ...programArgs], env);
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(`slipway: ${text}`);
  process.exit(1);
}
