// The real parts in the cache: one folder per part and manifest, given its name only when it is whole, with a receipt of what lies in it.
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, delimiter, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { userCache } from "../user-cache.mjs";
import { differing, run, sources } from "./sources.mjs";

const manifests = join(dirname(fileURLToPath(import.meta.url)), "parts");

export function cacheFolder(env = process.env) {
  return env.SLIPWAY_REAL_CACHE || userCache("real", env);
}

/** The manifests, each with the folder that it has in the cache: another manifest, or other pins beside it, another folder. */
export function readParts(cache, folder = manifests) {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      const part = JSON.parse(text);
      const pins = pinsOf(folder, part.name);
      const all = [text, ...Object.values(pins).map((path) => readFileSync(path, "utf8"))].join("");
      const sources = part.sources.map((source) => ({ ...source, pins }));
      return { ...part, sources, folder: join(cache, `${part.name}-${sha256(all).slice(0, 12)}`) };
    });
}

/** `NAME.go.mod`, `NAME.go.sum` and `NAME.requirements.txt`, by the names that go and pip have for them. */
function pinsOf(folder, name) {
  const files = ["go.mod", "go.sum", "requirements.txt"].map((file) => [file, join(folder, `${name}.${file}`)]);
  return Object.fromEntries(files.filter(([, path]) => existsSync(path)));
}

/** What lies in the cache for a part and is as its receipt says; undefined where that is nothing, or is not as it was. */
export function cached(part) {
  const receiptFile = join(part.folder, "receipt.json");
  if (!existsSync(receiptFile)) return undefined;
  const receipt = JSON.parse(readFileSync(receiptFile, "utf8"));
  const files = { [receipt.program]: receipt.sha256, ...receipt.files };
  if (differing(part.folder, files) !== undefined || !isThere(receipt.needs)) return undefined;
  return asFound(part, receipt);
}

/** From the cache, or fetched from the first source that can give it. Throws with every source's reason. */
export function have(part, kinds = sources, say = () => {}) {
  const found = cached(part);
  if (found !== undefined) return found;
  const reasons = [];
  for (const source of part.sources) {
    say(`${part.name}: fetching ${source.package} ${source.version} by ${source.kind} ...`);
    try {
      return fetchFrom(part, source, kinds);
    } catch (error) {
      reasons.push(`${source.package} by ${source.kind}: ${error.message}`);
    }
  }
  throw new Error(reasons.join("; "));
}

function fetchFrom(part, source, kinds) {
  const fresh = `${part.folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    // `checked`: a folder of which every file counts.
    const { libraries, files, checked = libraries, needs = source.needs } = kinds[source.kind](source, fresh);
    const program = join(fresh, source.program);
    chmodSync(program, 0o755);
    const env = libraries === undefined ? {} : { LD_LIBRARY_PATH: join(fresh, libraries) };
    // Without arguments it is no program, and says by its own text what it is.
    const said =
      source.proof.arguments === undefined
        ? readFileSync(program, "utf8")
        : run(program, source.proof.arguments, { env });
    if (!said.includes(source.proof.says)) {
      throw new Error(`it says ${JSON.stringify(said.trim().slice(0, 120))}, not ${source.proof.says}`);
    }
    const { kind, version, package: from, program: path, also = [] } = source;
    const sum = (name) => sha256(readFileSync(join(fresh, name)));
    const loaded = checked === undefined ? [] : filesBelow(fresh, checked);
    const sums = { ...files, ...Object.fromEntries([...also, ...loaded].map((name) => [name, sum(name)])) };
    const receipt = {
      kind,
      version,
      package: from,
      program: path,
      libraries,
      needs,
      sha256: sum(path),
      files: sums,
      also,
    };
    writeFileSync(join(fresh, "receipt.json"), `${JSON.stringify(receipt, null, 2)}\n`);
    rmSync(part.folder, { recursive: true, force: true });
    renameSync(fresh, part.folder);
    return asFound(part, receipt);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    // Another run may have been faster; theirs is as good.
    const theirs = error.code === "ENOTEMPTY" ? cached(part) : undefined;
    if (theirs !== undefined) return theirs;
    throw error;
  }
}

/** Paths of all files below a folder, from the part's own folder on. */
function filesBelow(part, folder) {
  return readdirSync(join(part, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(part, join(parentPath, name)));
}

/** `also`: what else the part consists of, by file name. */
function asFound({ name, folder }, { package: from, version, program, libraries, also = [] }) {
  const env = libraries === undefined ? {} : { LD_LIBRARY_PATH: join(folder, libraries) };
  const files = Object.fromEntries(also.map((file) => [basename(file), join(folder, file)]));
  return { name, from: `${from} ${version}`, program: join(folder, program), also: files, env };
}

/** A program of the machine, by its name or path, without which what lies in the cache is of no use. */
function isThere(program) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return program === undefined || folders.some((folder) => existsSync(resolve(folder, program)));
}

function sha256(data) {
  return createHash("sha256").update(data).digest("hex");
}
