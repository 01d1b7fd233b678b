import { readdir } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { directory, type Entry, sorted } from "./entries.ts";
import { certificateEntries, furniture, nameLookups } from "./furniture.ts";
import { epochStart, makeLayer } from "./layer.ts";
import { fileEntry, librariesOf, linkedTo, withLoadedLater } from "./linked-libraries.ts";
import type { HostPython } from "./python-host.ts";
import type { Layer } from "./types.ts";

/** What wheels of PyPI may expect of a system (PEP 513, 599) beside what Python itself is linked to. */
const expectedByWheels = [
  ...["libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libdl.so.2", "librt.so.1"],
  ...["libpthread.so.0", "libutil.so.1", "libz.so.1"],
];

/** Of the standard library what no service runs: tests, the desktop, installers, and bytecode, which tells when it was made. */
const leftOut = new Set([
  ...["__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"],
  ...["site-packages", "dist-packages"],
]);
const leftOutFiles =
  /^(_tkinter\.|_ctypes_test|_test|xxlimited|libpython.*\.a$|turtle\.py$|sitecustomize\.py$)|\.(pyc|pyo|a|o)$/;

/**
 * The base layer `python3`: the Python of this machine with its standard library, the shared libraries of both, and the certificates of this
 * machine. Below /usr it stays where it is; from any other prefix (pyenv, a build of one's own) it moves to /usr/local. The same Python gives
 * the same digest.
 */
export async function makePythonBaseLayer(options: {
  readonly python: HostPython;
  readonly dir: string;
}): Promise<Layer> {
  const { python, dir } = options;
  const stdlib = await libraryFiles(python.stdlib, "");
  const extensions = stdlib.filter((path) => path.endsWith(".so")).map((path) => join(python.stdlib, path));
  const linked = await linkedTo(extensions);
  // An extension that this machine cannot load itself is of no use elsewhere.
  const broken = new Set(linked.filter(({ missing }) => missing.length > 0).map(({ program }) => program));
  const own = await librariesOf([python.executable]);
  const all = [
    ...new Set([...own, ...linked.flatMap(({ program, libraries }) => (broken.has(program) ? [] : libraries))]),
  ];
  const libraries = await withLoadedLater(all, [...nameLookups, ...expectedByWheels]);
  const home = placeOf(python.prefix);
  const at = join(home, relative(python.prefix, python.stdlib));
  const name = `python${python.version.split(".").slice(0, 2).join(".")}`;
  const entries: Entry[] = [
    ...furniture,
    ...(await certificateEntries()),
    await fileEntry(`${home}/bin/${name}`, python.executable),
    ...["python3", "python"].map((link): Entry => ({ kind: "symlink", name: `${home}/bin/${link}`, target: name })),
    directory(`${at}/site-packages`),
    ...(await Promise.all(
      stdlib
        .filter((path) => !broken.has(join(python.stdlib, path)))
        .map((path) => fileEntry(`${at}/${path}`, join(python.stdlib, path), path.endsWith(".so") ? 0o755 : 0o644)),
    )),
    ...(await Promise.all(libraries.map((path) => fileEntry(libraryPlace(path, python, libraries), path)))),
  ];
  return makeLayer({ entries: sorted(entries), mtime: epochStart, cacheDir: dir });
}

/** Environment of an image on this base: certificates where every OpenSSL looks, and output that is not held back. */
export const pythonBaseEnv = {
  PYTHONDONTWRITEBYTECODE: "1",
  PYTHONUNBUFFERED: "1",
  SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt",
} as const;

function placeOf(prefix: string): string {
  return prefix === "/usr" ? "usr" : "usr/local";
}

/** A library of Python's own prefix goes beside libc, where the loader looks without being told. */
function libraryPlace(path: string, python: HostPython, libraries: readonly string[]): string {
  if (python.prefix === "/usr" || !path.startsWith(`${python.prefix}/`)) return path.slice(1);
  const libc = libraries.find((other) => /\/libc\.so\.6$|\/ld-musl-[^/]*$/.test(other));
  return join(libc === undefined ? "usr/lib" : dirname(libc).slice(1), basename(path));
}

/** Paths of the standard library, in byte order; links and what is left out are not there. */
async function libraryFiles(root: string, at: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(root, at), { withFileTypes: true })) {
    const path = at === "" ? entry.name : `${at}/${entry.name}`;
    if (entry.isDirectory() && !leftOut.has(entry.name) && !/^config-/.test(entry.name))
      found.push(...(await libraryFiles(root, path)));
    else if (entry.isFile() && !leftOutFiles.test(entry.name)) found.push(path);
  }
  return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
