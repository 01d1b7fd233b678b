import { lstat, opendir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { passedOver, type RepositoryView, worthReading, worthSearching } from "./repository-view.ts";

const mostPaths = 20_000;
const deepest = 12;
const largestText = 256 * 1_024;

/** Lists a checked out repository and reads what detection wants. Links are never followed: a commit may hold any. */
export async function readRepository(folder: string): Promise<RepositoryView> {
  const paths: string[] = [];
  await list(folder, "", paths);
  paths.sort((a, b) => (a < b ? -1 : 1));
  const texts = await textsOf(folder, worthReading(paths));
  return { paths, texts, further: await textsOf(folder, worthSearching(paths, new Set(Object.keys(texts)))) };
}

async function textsOf(folder: string, paths: readonly string[]): Promise<Record<string, string>> {
  const texts: [string, string][] = [];
  for (const path of paths) {
    const { size } = await lstat(join(folder, path));
    if (size <= largestText) texts.push([path, withoutMark(await readFile(join(folder, path), "utf8"))]);
  }
  return Object.fromEntries(texts);
}

async function list(folder: string, under: string, paths: string[]): Promise<void> {
  if (under.split("/").length > deepest) return;
  for await (const entry of await opendir(join(folder, under))) {
    if (paths.length >= mostPaths) return;
    const path = under === "" ? entry.name : `${under}/${entry.name}`;
    if (entry.isFile()) paths.push(path);
    else if (entry.isDirectory() && !passedOver.includes(entry.name)) await list(folder, path, paths);
  }
}

/** Editors on Windows put a byte order mark before the text, which no parser of JSON or Procfiles expects. */
function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, "");
}
