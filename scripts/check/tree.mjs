import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

const ignored = new Set(["node_modules", "dist", ".git", ".slipway", "coverage"]);
const texts = new Set([
  ".ts",
  ".tsx",
  ".mjs",
  ".cjs",
  ".js",
  ".json",
  ".sql",
  ".md",
  ".yaml",
  ".yml",
  ".css",
  ".html",
  ".sh",
  "",
]);
const lockFiles = /(^|\/)(pnpm-lock\.yaml|package-lock\.json)$/;
const adapters =
  /\b(postgresBus|kafkaBus|postgresLocks|redisLocks|memoryCache|redisCache|fileObjects|s3Objects|scrapeMetrics|prometheusMetrics)\b/;
const adapterHomes = /^(apps|bench|packages\/(host|testkit|bus|cache|lock|objects|metrics))\/|\.test\.ts$|\/test\//;

/** Checks that read the texts of the tree. */
export function checkTree(root) {
  let read;
  const files = () => {
    read ??= readTexts(root);
    return read;
  };
  const check = (name, problemsOf) => ({ name, group: "static", run: () => verdict(problemsOf(files(), root)) });
  return [
    check("migrations are numbered", (all) => misnumbered(all.map(({ path }) => path))),
    check("released migrations are kept", (all, folder) => changedMigrations(all, releasedFiles(folder, "migrations"))),
    check("released states are kept", (all, folder) => changedStates(all, releasedFiles(folder))),
    check("files are short", tooLong),
    check("nothing is left for later", leftForLater),
    check("no other machine is named", otherMachines),
    check("adapters are chosen in host", adaptersElsewhere),
  ];
}

function verdict(problems) {
  return problems.length === 0
    ? { passed: 1, failed: 0, skipped: 0, output: "" }
    : { passed: 0, failed: 1, skipped: 0, output: problems.map((problem) => `  ${problem}`).join("\n") };
}

function readTexts(root, folder = "") {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (ignored.has(entry.name) || path === "run.json") return [];
    if (entry.isDirectory()) return readTexts(root, path);
    return entry.isFile() && texts.has(extname(entry.name))
      ? [{ path, text: readFileSync(join(root, path), "utf8") }]
      : [];
  });
}

/** `migrations/<schema>/0001_what.sql`, from 1 on without gaps. */
export function misnumbered(paths) {
  const bySchema = Map.groupBy(
    paths.filter((path) => path.startsWith("migrations/")).sort(),
    (path) => path.split("/")[1],
  );
  return [...bySchema].flatMap(([schema, all]) =>
    all.flatMap((path, i) => {
      const number = /^migrations\/[a-z]+\/(\d{4})_[a-z0-9_]+\.sql$/.exec(path)?.[1];
      if (number === undefined) return [`${path}: a migration is called NNNN_what.sql`];
      return Number(number) === i + 1 ? [] : [`${path}: migration ${i + 1} of ${schema} has number ${number}`];
    }),
  );
}

/** What the latest release brought must stay as it was: databases have run it. */
export function changedMigrations(files, released) {
  const now = new Map(files.map(({ path, text }) => [path, text]));
  return released
    .filter(({ path, text }) => now.get(path) !== text)
    .map(({ path }) => `${path}: ${now.has(path) ? "was changed" : "is gone"} since it was released; write a new one`);
}

/** What a release left in its databases is history: a file of it may gain nothing and lose nothing. */
export function changedStates(files, released) {
  const now = new Map(files.map(({ path, text }) => [path, text]));
  return released
    .filter(({ path, text }) => /\/released\/[^/]+\/[^/]+\.json$/.test(path) && now.get(path) !== text)
    .map(({ path }) => `${path}: ${now.has(path) ? "was changed" : "is gone"} since it was released`);
}

/** Empty until there is a release: a tag `v…` that this commit descends from. */
function releasedFiles(root, folder = ".") {
  const git = (...args) => {
    const { status, stdout } = spawnSync("git", ["-c", `safe.directory=${root}`, "-C", root, ...args], {
      encoding: "utf8",
      timeout: 30_000,
    });
    return status === 0 ? stdout : undefined;
  };
  const tag = git("describe", "--tags", "--match", "v*", "--abbrev=0")?.trim();
  if (tag === undefined) return [];
  const paths = git("ls-tree", "-r", "--name-only", tag, folder)?.split("\n").filter(Boolean) ?? [];
  const kept = paths.filter((path) => /^migrations\/|\/released\//.test(path));
  return kept.map((path) => ({ path, text: git("show", `${tag}:${path}`) }));
}

const mostLines = 500;

export function tooLong(files) {
  return files
    .filter(({ path }) => !lockFiles.test(path))
    .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
    .filter(({ lines }) => lines > mostLines)
    .map(({ path, lines }) => `${path}: ${lines} lines, at most ${mostLines}`);
}

/** Notes to oneself, and comments that switch a check off. */
export function leftForLater(files) {
  return matches(
    files.filter(({ path }) => !lockFiles.test(path)),
    /\b(TO[D]O|FIX[M]E|XX[X])\b|biome-igno[r]e|@ts-(igno[r]e|nochec[k]|expect-erro[r])/,
  );
}

/** Paths of the machine that a text was written on, and hosts that a lock file was made with. */
export function otherMachines(files) {
  const [locks, others] = [true, false].map((isLock) => files.filter(({ path }) => lockFiles.test(path) === isLock));
  return [
    ...matches(others, /\/work\/(main|shared)\b|\/root\/(\.|brief)|\/Users\/[a-z]/i),
    ...matches(
      others.filter(({ path }) => !/\.test\.ts$|\/test\//.test(path)),
      /\/home\/[a-z0-9]+\//,
    ),
    ...matches(locks, /https?:\/\/[^\s"']+\.tgz/),
  ];
}

/** Which bus, cache, lock, store or metrics source is used is said by a URL that `host` reads; everybody else has the port. */
export function adaptersElsewhere(files) {
  return matches(
    files.filter(({ path }) => path.endsWith(".ts") && !adapterHomes.test(path)),
    adapters,
  );
}

function matches(files, pattern) {
  return files.flatMap(({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 120)}`] : [])),
  );
}
