import { execFile } from "node:child_process";
import { realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { directory, type Entry, sorted, textFile } from "./entries.ts";
import { OciError } from "./errors.ts";
import { epochStart, makeLayer } from "./layer.ts";
import type { Layer } from "./types.ts";

const lddDeadlineMs = 10_000;

/**
 * Without passwd and nsswitch.conf `os.userInfo()` throws and `localhost` is not found. Folders that a pod's own mounts
 * (proc, dev, tmp) go to have to exist, since the unpacked root is read-only.
 */
const furniture: readonly Entry[] = [
  ...["app", "dev", "etc", "home", "proc", "root", "run", "sys", "usr/local/bin", "var/tmp"].map((name) =>
    directory(name),
  ),
  directory("tmp", 0o1777),
  textFile(
    "etc/passwd",
    "root:x:0:0:root:/root:/sbin/nologin\napp:x:1000:1000:app:/app:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
  ),
  textFile("etc/group", "root:x:0:\napp:x:1000:\nnogroup:x:65534:\n"),
  textFile("etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"),
  textFile("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
  textFile("etc/resolv.conf", ""),
];

/** Looked up by glibc when a name is resolved, so no linker lists them; compiled into libc since glibc 2.34. */
const loadedLater = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"];

/**
 * The base layer `node24`: the given Node binary as /usr/bin/node, the shared libraries it is linked to, and the few files
 * of /etc without which name look-ups fail. Made once per binary and kept in `dir`; the same binary gives the same digest.
 */
export async function makeNodeBaseLayer(options: { readonly nodePath: string; readonly dir: string }): Promise<Layer> {
  const node = await realpath(options.nodePath);
  const libraries = await linkedLibraries(node);
  const entries = [
    ...furniture,
    await fileEntry("usr/bin/node", node),
    ...(await Promise.all(libraries.map((path) => fileEntry(path.slice(1), path)))),
  ];
  return makeLayer({ entries: sorted(entries), mtime: epochStart, cacheDir: options.dir });
}

/** Paths from the output of ldd: of every library by the name it is asked for, and of the loader itself. */
export function parseLdd(output: string): readonly string[] {
  const paths = new Set<string>();
  for (const line of output.split("\n")) {
    if (/=>\s*not found/.test(line)) throw new OciError("invalid", `a library of node is missing: ${line.trim()}`);
    const path = /=>\s*(\/\S+)/.exec(line)?.[1] ?? /^\s*(\/\S+)\s+\(0x/.exec(line)?.[1];
    if (path !== undefined) paths.add(path);
  }
  return [...paths].sort();
}

async function linkedLibraries(node: string): Promise<readonly string[]> {
  const listed = await promisify(execFile)("ldd", [node], {
    timeout: lddDeadlineMs,
    env: { LC_ALL: "C", PATH: "/usr/bin:/bin" },
  })
    .then(({ stdout }) => parseLdd(stdout))
    .catch((cause: unknown) => {
      if (cause instanceof OciError) throw cause;
      throw new OciError("invalid", "ldd could not list the libraries of node", { cause });
    });
  const libc = listed.find((path) => /\/libc\.so\.6$/.test(path));
  if (libc === undefined) return listed;
  const beside = await Promise.all(loadedLater.map((name) => ifFile(join(dirname(libc), name))));
  return [...new Set([...listed, ...beside.filter((path) => path !== undefined)])].sort();
}

async function ifFile(path: string): Promise<string | undefined> {
  return (await stat(path).catch(() => undefined))?.isFile() === true ? path : undefined;
}

async function fileEntry(name: string, path: string): Promise<Entry> {
  const real = await realpath(path);
  return { kind: "file", name, mode: 0o755, size: (await stat(real)).size, from: { path: real } };
}
