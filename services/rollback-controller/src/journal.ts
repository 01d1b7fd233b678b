import { appendFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeploymentIdSchema, Judgement, WatchRequest } from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { z } from "zod";
import type { News } from "./watcher.ts";

const Entry = z.object({ id: DeploymentIdSchema, news: z.unknown() });
const Spec = z.object({
  id: DeploymentIdSchema,
  spec: WatchRequest,
  judgement: Judgement.nullable(),
  failed: z.boolean(),
});
export type KeptSpec = z.infer<typeof Spec>;

/**
 * What the controller did while the database was away, on disk, in order; and what it watches, so that a controller that starts without a
 * database still knows. Replayed into the database when it answers.
 */
export type Journal = {
  append(id: DeploymentId, news: News): Promise<void>;
  /** Entries not yet replayed, oldest first. */
  read(): Promise<readonly { id: DeploymentId; news: News }[]>;
  clear(): Promise<void>;
  keepSpecs(specs: readonly KeptSpec[]): Promise<void>;
  specs(): Promise<readonly KeptSpec[]>;
};

export async function openJournal(folder: string): Promise<Journal> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entries = join(folder, "news.jsonl");
  const specs = join(folder, "watches.json");
  return {
    // On a line of its own, whatever a full disk left of the one before.
    append: (id, news) => appendFile(entries, `\n${JSON.stringify({ id, news })}\n`, { flush: true, mode: 0o600 }),
    async read() {
      const lines = (await textOf(entries)).split("\n").filter((line) => line !== "");
      return lines.flatMap(parseEntry);
    },
    clear: () => rm(entries, { force: true }),
    async keepSpecs(all) {
      await writeFile(`${specs}.new`, JSON.stringify(all), { flush: true, mode: 0o600 });
      await rename(`${specs}.new`, specs);
    },
    async specs() {
      const text = await textOf(specs);
      return text === "" ? [] : z.array(Spec).parse(JSON.parse(text));
    },
  };
}

/** A last line that a crash cut short is no entry. */
function parseEntry(line: string): { id: DeploymentId; news: News }[] {
  try {
    const entry = Entry.parse(JSON.parse(line));
    return [{ id: entry.id, news: entry.news as News }];
  } catch {
    return [];
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
