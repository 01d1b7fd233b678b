import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The kernel's limit on the path of a Unix socket, without the closing zero byte. */
const longestSocketPath = 107;
const socketName = ".s.PGSQL.5432";

/**
 * Where the server's socket goes: beside the data where the path is short enough, else a folder under `temporary` whose
 * name follows from the data folder, so that every process finds the same one. Only its owner may enter it.
 */
export async function socketDirectory(dataDir: string, temporary: string = tmpdir()): Promise<string> {
  const directory = chooseSocketDirectory(dataDir, temporary, process.getuid?.() ?? 0);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await lstat(directory);
  const mine = found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid) && (found.mode & 0o077) === 0;
  if (!mine)
    throw new Error(`${directory} must be a folder of ours with mode 0700: remove it, someone else may have made it`);
  return directory;
}

export function chooseSocketDirectory(dataDir: string, temporary: string, uid: number): string {
  const beside = join(dataDir, "run");
  // The server reads a comma-separated list here, so such a path cannot be given plainly.
  if (fits(beside) && !/[,"\s]/.test(beside)) return beside;
  const name = `slipway-${uid}-${createHash("sha256").update(dataDir).digest("hex").slice(0, 12)}`;
  const short = join(temporary, name);
  return fits(short) ? short : join("/tmp", name);
}

function fits(directory: string): boolean {
  return Buffer.byteLength(join(directory, socketName)) <= longestSocketPath;
}
