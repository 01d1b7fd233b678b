import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const PidFile = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  startTime: z.string(),
  /** Which program it runs, so that one of an older build is not adopted. */
  build: z.string(),
  /** What the process said once it was ready. */
  ready: z.record(z.string(), z.unknown()).nullable(),
});
export type PidFile = z.infer<typeof PidFile>;

/** `pids/`: one file per process, so that whoever comes after a crash knows what runs. */
export type PidFiles = {
  write(file: PidFile): void;
  read(name: string): PidFile | undefined;
  all(): readonly PidFile[];
  remove(name: string): void;
};

export function pidFiles(folder: string): PidFiles {
  const path = (name: string) => join(folder, `${name}.json`);
  const read = (name: string) => parse(path(name));
  return {
    write(file) {
      // Not before: whoever only looks leaves no trace in a folder that may be somebody else's.
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(`${path(file.name)}.new`, JSON.stringify(file), { mode: 0o600 });
      renameSync(`${path(file.name)}.new`, path(file.name));
    },
    read,
    all: () =>
      (existsSync(folder) ? readdirSync(folder) : [])
        .filter((entry) => entry.endsWith(".json"))
        .map((entry) => read(entry.slice(0, -".json".length)))
        .filter((file) => file !== undefined),
    remove: (name) => rmSync(path(name), { force: true }),
  };
}

/** A file that a crash left half written names nobody. */
function parse(path: string): PidFile | undefined {
  try {
    return PidFile.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}
