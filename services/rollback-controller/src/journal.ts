import { createHash, randomUUID } from "node:crypto";
import { appendFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeploymentIdSchema, InstantSchema, Judgement, WatchRequest } from "@slipway/contracts";
import type { Instant } from "@slipway/kernel";
import { z } from "zod";
import { Entry } from "./news.ts";

const KeptWatch = z.object({
  id: DeploymentIdSchema,
  spec: WatchRequest,
  judgement: Judgement.nullable(),
  failed: z.boolean(),
  /** As `encode` wrote it; null or absent: nothing was looked at yet. */
  snapshot: z.string().nullable().default(null),
});
export type KeptWatch = z.infer<typeof KeptWatch>;

/** An entry that could not be stored although the database answered; `line` as it stands in the journal. */
const SetAside = z.object({ at: InstantSchema, reason: z.string(), line: z.string() });
export type SetAside = z.infer<typeof SetAside>;

/**
 * What the controller found and did until the database knows it, on disk, in order; and what it watches, so that a controller that starts
 * without a database still knows. Calls that write must not overlap.
 */
export type Journal = {
  /** Names the disk: the same after a restart on it. */
  readonly disk: string;
  append(entry: Entry): Promise<void>;
  /** Entries not yet stored, oldest first. What is no entry is set aside. */
  read(): Promise<readonly Entry[]>;
  clear(): Promise<void>;
  setAside(entry: Entry, reason: string, at: Instant): Promise<void>;
  aside(): Promise<readonly SetAside[]>;
  keepWatches(watches: readonly KeptWatch[]): Promise<void>;
  watches(): Promise<readonly KeptWatch[]>;
};

export async function openJournal(folder: string, now: () => Instant): Promise<Journal> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entries = join(folder, "news.jsonl");
  const asides = join(folder, "set-aside.jsonl");
  const watches = join(folder, "watches.json");
  const add = (file: string, value: unknown) =>
    appendFile(file, `${JSON.stringify(value)}\n`, { flush: true, mode: 0o600 });
  const replace = async (file: string, text: string) => {
    await writeFile(`${file}.new`, text, { flush: true, mode: 0o600 });
    await rename(`${file}.new`, file);
  };
  const setAside = (line: string, reason: string, at: Instant) => add(asides, { at, reason, line });
  // What a crash cut short: without this the next entry would be written onto the same line, and both be lost.
  const whole = wholeLines(await textOf(entries));
  if (whole.cut !== "") await replace(entries, whole.lines.map((line) => `${line}\n`).join(""));
  return {
    disk: await nameOf(join(folder, "disk")),
    // On a line of its own, whatever a full disk left of the one before.
    append: (entry) => appendFile(entries, `\n${JSON.stringify(entry)}\n`, { flush: true, mode: 0o600 }),
    async read() {
      const found: Entry[] = [];
      let lost = false;
      for (const line of wholeLines(await textOf(entries)).lines) {
        const entry = parseEntry(line);
        if (entry !== undefined) found.push(entry);
        else await setAside(line, "it is no entry of a journal", now());
        lost ||= entry === undefined;
      }
      // Set aside once.
      if (lost) await replace(entries, found.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
      return found;
    },
    clear: () => rm(entries, { force: true }),
    setAside: (entry, reason, at) => setAside(JSON.stringify(entry), reason, at),
    aside: async () => wholeLines(await textOf(asides)).lines.map((line) => SetAside.parse(JSON.parse(line))),
    keepWatches: (all) => replace(watches, JSON.stringify(all)),
    async watches() {
      const text = await textOf(watches);
      return text === "" ? [] : z.array(KeptWatch).parse(JSON.parse(text));
    },
  };
}

/** Made once. A disk that takes nothing has no name that a later process could know again. */
async function nameOf(file: string): Promise<string> {
  const known = (await textOf(file)).trim();
  if (known !== "") return known;
  const name = randomUUID();
  await writeFile(file, `${name}\n`, { flush: true, mode: 0o600 }).catch(() => undefined);
  return name;
}

/** The lines with an end, and what comes after the last of them. */
function wholeLines(text: string): { lines: readonly string[]; cut: string } {
  const lines = text.split("\n");
  const cut = lines.pop() ?? "";
  return { lines: lines.filter((line) => line !== ""), cut };
}

/** Entries of an earlier version had no key: their own text names them. */
function parseEntry(line: string): Entry | undefined {
  try {
    const key = createHash("sha256").update(line).digest("hex");
    return Entry.parse({ key, ...(JSON.parse(line) as object) });
  } catch {
    return undefined;
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
