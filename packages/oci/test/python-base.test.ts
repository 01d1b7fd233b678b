import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createGunzip } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { extractLayer } from "../src/extract.ts";
import { findPython, type HostPython, makePythonBaseLayer, OciError } from "../src/index.ts";

const candidates = [["python3"], ["/usr/bin/python3"]];
const found = await Promise.all(candidates.map((names) => findPython(names).catch(() => undefined)));
const pythons = [
  ...new Map(found.flatMap((one) => (one === undefined ? [] : [[one.executable, one] as const]))).values(),
];

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-python-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a service may want of Python's extensions: each needs a shared library that no linker tells of the program itself. */
const program = `
import ctypes, hashlib, json, lzma, os, pwd, sqlite3, ssl, sys, zlib
context = ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt")
sqlite3.connect(":memory:").execute("select 1")
print(json.dumps({"version": sys.version.split()[0], "prefix": sys.prefix, "certificates": len(context.get_ca_certs()) > 0,
  "paths": [path for path in sys.path if path.startswith("/root") or path.startswith("/home")]}))
`;

const missing = pythons.length === 0 ? " (skipped: this machine has no Python)" : "";
describe.skipIf(pythons.length === 0)(`the base python3${missing}`, () => {
  test.each(pythons.map((python): [string, HostPython] => [python.prefix, python]))(
    "made from %s runs alone, extensions and certificates included, and is the same when it is made again",
    async (_prefix, python) => {
      const at = await mkdtemp(join(folder, "made-"));
      const layer = await makePythonBaseLayer({ python, dir: join(at, "one") });
      // Found under the digest of its tar, which is made anew.
      const again = await makePythonBaseLayer({ python, dir: join(at, "one") });
      const root = join(at, "root");
      await mkdir(root);
      await extractLayer({
        tar: createReadStream(layer.path).pipe(createGunzip()),
        root,
        limits: { entries: 20_000, bytes: 1e9, fileBytes: 1e9, layers: 1 },
        budget: { entries: 0, bytes: 0 },
        signal: undefined,
      });
      const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
      const home = python.prefix === "/usr" ? "/usr" : "/usr/local";
      const argv = [...asRoot, "--mount", `--root=${root}`, `${home}/bin/python3`, "-I", "-c", program];

      const { stdout } = await promisify(execFile)("unshare", argv, { env: {}, timeout: 90_000 });

      expect(JSON.parse(stdout)).toEqual({ version: python.version, prefix: home, certificates: true, paths: [] });
      expect(again.digest).toBe(layer.digest);
    },
  );
});

test("where there is no Python the base is refused, and it is said what to do", async () => {
  const refusal = await findPython(["/nowhere/python3"]).catch((error: unknown) => error);

  expect(refusal).toBeInstanceOf(OciError);
  expect(String(refusal)).toMatch(/install python3 there, or name an image as the base/);
});
