import { lstatSync, opendirSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type Advisory, findAdvisories, readPackageLock } from "./lockfile.ts";
import { findSecrets } from "./secrets.ts";

/**
 * The step `uses: security-scan`: `node main.ts <tree> <folder with advisories>`. It runs inside the build's isolation,
 * offline, and imports nothing but Node. Exit code 1 = something was found.
 */
const [tree = "/workspace", advisoryFolder = ""] = process.argv.slice(2);
const skipped = new Set([".git", "node_modules"]);
const largestFile = 2 * 1_024 * 1_024;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Regular files only: a link may point at anything. */
function filesOf(folder: string): string[] {
  const found: string[] = [];
  const entries = opendirSync(folder);
  for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !skipped.has(entry.name)) found.push(...filesOf(path));
    if (entry.isFile() && lstatSync(path).size <= largestFile) found.push(path);
  }
  entries.closeSync();
  return found.sort();
}

function scanSecrets(files: readonly string[]): number {
  let count = 0;
  for (const path of files) {
    const bytes = readFileSync(path);
    // A NUL near the start means that this is no text.
    if (bytes.subarray(0, 8_000).includes(0)) continue;
    for (const { line, rule, hint } of findSecrets(bytes.toString("utf8"))) {
      say(`secret: ${relative(tree, path)}:${line} ${rule} ${hint}`);
      count += 1;
    }
  }
  return count;
}

function readAdvisories(): Advisory[] {
  const names = readdirSync(advisoryFolder).filter((name) => name.endsWith(".json"));
  return names.flatMap((name) => JSON.parse(readFileSync(join(advisoryFolder, name), "utf8")) as Advisory[]);
}

function scanLocks(files: readonly string[], advisories: readonly Advisory[]): { packages: number; found: number } {
  let packages = 0;
  let found = 0;
  for (const path of files.filter((file) => file.endsWith("/package-lock.json"))) {
    const locked = readPackageLock(readFileSync(path, "utf8"));
    packages += locked.length;
    for (const finding of findAdvisories(locked, advisories)) {
      const remedy = finding.fixedIn === null ? "no fix is known" : `fixed in ${finding.fixedIn}`;
      say(
        `advisory: ${relative(tree, path)} ${finding.name}@${finding.version} ${finding.id} ${finding.summary} (${remedy})`,
      );
      found += 1;
    }
  }
  return { packages, found };
}

const files = filesOf(tree);
const advisories = readAdvisories();
const secrets = scanSecrets(files);
const { packages, found } = scanLocks(files, advisories);
say(`scanned ${files.length} files for secrets and ${packages} packages against ${advisories.length} advisories`);
say(secrets + found === 0 ? "nothing found" : `${secrets} secrets, ${found} advisories`);
process.exitCode = secrets + found === 0 ? 0 : 1;
