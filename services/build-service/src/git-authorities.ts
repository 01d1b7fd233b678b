import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates } from "node:tls";

/**
 * Writes the authorities that this process believes into a file for git, which knows nothing of NODE_EXTRA_CA_CERTS and takes one file in place of the
 * machine's: those of the machine and of Node are in it, too. Answers its path; undefined where nobody has added an authority.
 */
export async function writeGitAuthorities(dataDir: string): Promise<string | undefined> {
  if (getCACertificates("extra").length === 0) return undefined;
  const all = new Set([...getCACertificates("default"), ...getCACertificates("system")]);
  const path = join(dataDir, "git-authorities.pem");
  await mkdir(dataDir, { recursive: true });
  // Another process of this folder may be reading it.
  const written = `${path}.${process.pid}`;
  await writeFile(written, `${[...all].map((certificate) => certificate.trim()).join("\n")}\n`);
  await rename(written, path);
  return path;
}
