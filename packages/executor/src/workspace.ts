import { createHash } from "node:crypto";
import { chmod, lchown, lstat, mkdir, mkdtemp, opendir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeEtc } from "./image-root.ts";
import { etcFiles } from "./minimal-root.ts";

const firstUid = 100_000_000;
const uidCount = 1_000_000_000;

/** The host uid of a build: far above every account, the same for each step of the build. */
export function uidOf(identity: string): number {
  return firstUid + (createHash("sha256").update(identity).digest().readUInt32BE(0) % uidCount);
}

/** Gives a tree to a uid. Links are given themselves, never what they point at. */
export async function giveTo(path: string, uid: number): Promise<void> {
  const found = await lstat(path);
  if (found.uid !== uid) await lchown(path, uid, uid);
  if (!found.isDirectory()) return;
  for await (const entry of await opendir(path)) await giveTo(join(path, entry.name), uid);
}

/** Bytes on disk below folders; stops counting beyond `enough`. Files that vanish meanwhile count nothing. */
export async function folderBytes(paths: readonly string[], enough: number): Promise<number> {
  let total = 0;
  const folders = [...paths];
  for (let folder = folders.pop(); folder !== undefined && total <= enough; folder = folders.pop()) {
    const entries = await opendir(folder).catch(() => undefined);
    if (entries === undefined) continue;
    for await (const entry of entries) {
      const inside = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(inside);
      total += (await lstat(inside).catch(() => undefined))?.blocks ?? 0;
    }
    if (total * 512 > enough) break;
  }
  return total * 512;
}

export type Stage = {
  /** Empty folder on which the step's file system is put together. */
  readonly root: string;
  /** Folder with the files of /etc made for the step. */
  readonly etc: string;
  remove(): Promise<void>;
};

/** Folders of one step outside its workspace. Everything mounted here is mounted in the step's namespace only. */
export async function makeStage(
  scratch: string,
  inside: { readonly uid: number; readonly root: string | undefined; readonly shareNetwork: boolean },
): Promise<Stage> {
  const base = await mkdtemp(join(scratch, `slipway-stage-${process.pid}-`));
  const stage = { root: join(base, "root"), etc: join(base, "etc") };
  await chmod(base, 0o711);
  await mkdir(stage.root);
  await mkdir(stage.etc);
  if (inside.root === undefined) {
    const files = Object.entries(etcFiles(inside.uid));
    await Promise.all(files.map(([name, text]) => writeFile(join(stage.etc, name), text, { mode: 0o644 })));
  } else await writeEtc(inside.root, stage.etc, inside.uid, inside.shareNetwork);
  return { ...stage, remove: () => rm(base, { recursive: true, force: true, maxRetries: 3 }) };
}
