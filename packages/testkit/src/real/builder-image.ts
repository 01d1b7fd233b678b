import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { makeSmallRoot } from "../small-root.ts";
import type { UnpackedRoot } from "./builder-bundle.ts";
import { fileOf, type RealPart } from "./part.ts";

const tools = ["awk", "chmod", "du", "expr", "find", "grep", "mktemp", "mv", "rm", "sleep", "tee", "uname"];

/** The file system of moby/buildkit:rootless, made of the same programs: BuildKit, rootlesskit, runc, newuidmap, a shell, and the account that they run as. */
export async function makeBuilderRoot(
  root: string,
  { buildkit, runc }: { readonly buildkit: RealPart; readonly runc: RealPart },
): Promise<UnpackedRoot> {
  const ids = ["newuidmap", "newgidmap"].map((name) => fileOf(runc, name));
  await makeSmallRoot(root, [...tools, runc.program, ...ids]);
  const own = [
    buildkit.program,
    ...["buildctl", "rootlesskit", "buildctl-daemonless.sh"].map((name) => fileOf(buildkit, name)),
  ];
  for (const path of own) {
    await copyFile(path, join(root, "usr/bin", basename(path)));
    await chmod(join(root, "usr/bin", basename(path)), 0o755);
  }
  // Debian's are not built to give up root, and would need more than these two capabilities as setuid programs: those of the image are, and need no more.
  for (const [path, capability] of [
    ["newuidmap", "cap_setuid"],
    ["newgidmap", "cap_setgid"],
  ] as const)
    await promisify(execFile)(fileOf(runc, "setcap"), [`${capability}+ep`, join(root, "usr/bin", path)]);
  const account = "user:x:1000:1000::/home/user:/bin/sh\n";
  await writeFile(join(root, "etc/passwd"), `root:x:0:0::/root:/bin/sh\n${account}`);
  await writeFile(join(root, "etc/group"), "root:x:0:\nuser:x:1000:\n");
  for (const file of ["etc/subuid", "etc/subgid"]) await writeFile(join(root, file), "user:100000:65536\n");
  for (const folder of ["slipway", "buildkit", "buildkit-cache", "proc", "sys", "dev", "home/user"])
    await mkdir(join(root, folder), { recursive: true });
  return { root, env: ["PATH=/usr/bin:/bin", "USER=user", "HOME=/home/user"] };
}
