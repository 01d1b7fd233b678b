import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { cp, lstat, readFile, rm, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { platformInside } from "./carried-tools.ts";
import { etcFiles, type RootEntry, workspacePath } from "./minimal-root.ts";

/** Top-level names that a step has of its own, whatever its image has there. */
const own = new Set(["proc", "dev", "tmp", "etc", workspacePath.slice(1), platformInside.slice(1)]);
const mostLinks = 40;

/** The top level of an image's file system, read-only; `etc` is the folder made of the image's and the step's files. */
export function imageEntries(root: string, etc: string): RootEntry[] {
  const names = readdirSync(root).filter((name) => !own.has(name));
  return [...names.map((name) => topEntry(root, name)), { kind: "ro", from: etc, to: "/etc" }];
}

function topEntry(root: string, name: string): RootEntry {
  const from = join(root, name);
  return lstatSync(from).isSymbolicLink()
    ? { kind: "link", target: readlinkSync(from), to: `/${name}` }
    : { kind: "ro", from, to: `/${name}` };
}

/**
 * Lays the files of a step over a copy of the image's /etc: one mount, whatever the image lacks. The step's account stands before the
 * image's own, so that its uid has that name. With the machine's network come the machine's names.
 */
export async function writeEtc(root: string, etc: string, uid: number, shareNetwork: boolean): Promise<void> {
  const given = join(root, "etc");
  if ((await lstat(given).catch(() => undefined))?.isDirectory() === true)
    await cp(given, etc, { recursive: true, verbatimSymlinks: true, filter: isPlain });
  for (const [name, text] of Object.entries(etcFiles(uid))) {
    const path = join(etc, name);
    const before = name === "passwd" || name === "group" ? await plainText(path) : "";
    const machine = shareNetwork && ["hosts", "resolv.conf", "nsswitch.conf"].includes(name);
    const content = machine ? await readFile(`/etc/${name}`, "utf8").catch(() => text) : text;
    await rm(path, { recursive: true, force: true });
    await writeFile(path, `${content}${before}`, { mode: 0o644 });
  }
}

async function isPlain(path: string): Promise<boolean> {
  const found = await lstat(path);
  return found.isFile() || found.isDirectory() || found.isSymbolicLink();
}

async function plainText(path: string): Promise<string> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isFile() === true ? readFile(path, "utf8") : "";
}

/** True where a path names a file in a root, by way of its links, none of which leads out of the root. */
export function isFileInRoot(root: string, path: string): boolean {
  let parts = path.split("/").filter((part) => part !== "");
  let at = "/";
  for (let links = 0; parts.length > 0; ) {
    const [part = "", ...rest] = parts;
    const next = posix.resolve(at, part);
    const found = lstatSync(join(root, next), { throwIfNoEntry: false });
    if (found === undefined) return false;
    if (!found.isSymbolicLink()) {
      if (rest.length === 0) return found.isFile();
      at = next;
      parts = rest;
      continue;
    }
    links += 1;
    if (links > mostLinks) return false;
    const target = readlinkSync(join(root, next));
    if (target.startsWith("/")) at = "/";
    parts = [...target.split("/").filter((word) => word !== ""), ...rest];
  }
  return false;
}
