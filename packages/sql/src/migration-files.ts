import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";

export type MigrationFile = {
  /** Name of its folder: numbers count within it. */
  readonly source: string;
  readonly name: string;
  readonly checksum: string;
  /** Its first line says `-- breaking`: an older program must not run against the schema it makes. */
  readonly breaking: boolean;
  readonly text: string;
};

export type AppliedMigration = Pick<MigrationFile, "source" | "name" | "checksum" | "breaking">;

/** Says who may do what with what the others make, beside the schema's own role. Not numbered: it is run after them, each time. */
const rightsFile = "rights.sql";

/** Nothing where the folder has none. */
export async function readRights(directory: string): Promise<string> {
  return await readFile(join(directory, rightsFile), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

/** The files of a folder in the order of their numbers; none when the folder does not exist. */
export async function readMigrations(directory: string): Promise<MigrationFile[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith(".sql") && name !== rightsFile).sort();
  const wrong = files.find((name) => !/^\d{4}_[a-z0-9_]+\.sql$/.test(name));
  if (wrong !== undefined) throw new Error(`${join(directory, wrong)}: a migration is named NNNN_words.sql`);
  const twice = files.find((name, index) => index > 0 && files[index - 1]?.slice(0, 4) === name.slice(0, 4));
  if (twice !== undefined) throw new Error(`${join(directory, twice)}: its number is taken`);
  const source = basename(resolve(directory));
  return await Promise.all(
    files.map(async (name) => parseMigration(source, name, await readFile(join(directory, name), "utf8"))),
  );
}

export function parseMigration(source: string, name: string, text: string): MigrationFile {
  const checksum = createHash("sha256").update(text).digest("hex");
  return { source, name, checksum, breaking: /^--\s*breaking\b/.test(text), text };
}

/**
 * What is left to run. Throws, and nothing is run, when an applied file has changed, when a file was put before an applied
 * one, or when the schema has a breaking migration that this program does not know.
 */
export function planMigrations(
  schema: string,
  files: readonly MigrationFile[],
  applied: readonly AppliedMigration[],
): { readonly pending: readonly MigrationFile[]; readonly unknown: readonly AppliedMigration[] } {
  const done = new Map(applied.map((row) => [`${row.source}/${row.name}`, row]));
  const known = new Set(files.map((file) => `${file.source}/${file.name}`));
  const unknown = applied.filter((row) => !known.has(`${row.source}/${row.name}`));
  const breaking = unknown.find((row) => row.breaking);
  if (breaking !== undefined)
    throw new Error(
      `schema ${schema} was changed by ${breaking.source}/${breaking.name}, which this program does not know: run a newer one`,
    );
  const pending: MigrationFile[] = [];
  for (const file of files) {
    const row = done.get(`${file.source}/${file.name}`);
    if (row === undefined) pending.push(file);
    else if (row.checksum !== file.checksum)
      throw new Error(`schema ${schema}: ${file.source}/${file.name} was changed after it was applied`);
    const late = pending.find((earlier) => row !== undefined && earlier.source === file.source);
    if (late !== undefined)
      throw new Error(
        `schema ${schema}: ${late.source}/${late.name} comes before ${file.name}, which is applied already`,
      );
  }
  return { pending, unknown };
}
