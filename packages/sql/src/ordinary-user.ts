import { stat } from "node:fs/promises";
import { run } from "./postgres-binaries.ts";

/** Debian's `nobody`. initdb wants a uid that has a name. */
const nobody = 65_534;

const inNamespace = ["unshare", "--user", `--map-user=${nobody}`, `--map-group=${nobody}`, "--"];

/**
 * What stands before a command so that it does not run as root, which Postgres refuses. A user namespace that shows it
 * another uid is enough: files stay root's, and it works beneath a home with mode 0700. Containers often forbid that; there
 * it becomes `nobody` and keeps the one right to pass our folders. A cluster that exists runs as its owner, since Postgres
 * wants to own its files.
 */
export async function ordinaryUserPrefix(cluster: string): Promise<readonly string[]> {
  if (process.getuid?.() !== 0) return [];
  const owner = await stat(cluster).catch(() => undefined);
  if (owner !== undefined) return owner.uid === 0 ? inNamespace : asUser(owner.uid, owner.gid);
  if (await works(inNamespace)) return inNamespace;
  if (await works(asUser(nobody, nobody))) return asUser(nobody, nobody);
  throw new Error(
    "Postgres does not run as root, and neither a user namespace (unshare) nor another user (setpriv) is allowed here: " +
      "run Slipway as an ordinary user, or give a server's url in SLIPWAY_DATABASE_URL",
  );
}

function asUser(uid: number, gid: number): readonly string[] {
  const rights = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", ...rights, "--"];
}

async function works(prefix: readonly string[]): Promise<boolean> {
  const result = await run([...prefix, "true"], 5_000).catch(() => undefined);
  return result?.code === 0;
}
