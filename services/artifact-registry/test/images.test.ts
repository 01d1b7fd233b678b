import { execFile } from "node:child_process";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { instant } from "@slipway/kernel";
import {
  type Layer,
  makeNodeBaseLayer,
  makeStaticBaseLayer,
  OciError,
  pullAndUnpack,
  type RegistryClient,
  writeImage,
} from "@slipway/oci";
import { sharedFolder } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nextCommit } from "./artifact-examples.ts";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

const run = promisify(execFile);

async function works(command: string, ...args: string[]): Promise<boolean> {
  return run(command, args, { timeout: 90_000 }).then(
    () => true,
    () => false,
  );
}
const canUnshare = await works("unshare", "--user", "--map-root-user", "true");
const hasSkopeo = await works("skopeo", "--version");

let registry: TestRegistry;
let client: RegistryClient;
let folder: string;
/** Small, for all that does not run. */
let base: Layer;
const certificates = "etc/ssl/certs/ca-certificates.crt";
beforeAll(async () => {
  registry = await startRegistry();
  client = registry.oci("artifact-registry");
  folder = await mkdtemp(join(tmpdir(), "slipway-images-"));
  base = await makeStaticBaseLayer({ dir: join(folder, "base") });
});
afterAll(async () => {
  await registry?.close();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

/** A built workspace: the same content each time, other folder and other times. */
async function workspace(greeting = "hello"): Promise<string> {
  const dir = await mkdtemp(join(folder, "workspace-"));
  await mkdir(join(dir, "dist", "deep"), { recursive: true });
  await writeFile(join(dir, "package.json"), '{"type":"module"}');
  await writeFile(join(dir, "dist", "server.js"), `console.log("${greeting}", process.version, process.cwd());`);
  await writeFile(join(dir, "dist", "deep", "run.sh"), "#!/bin/sh\n", { mode: 0o700 });
  await writeFile(join(dir, "dist", "z.txt"), "z".repeat(100_000));
  await writeFile(join(dir, "secret.txt"), "not copied");
  const moment = new Date(Date.now() - 1_000_000 * Math.ceil(dir.length));
  await utimes(join(dir, "dist", "z.txt"), moment, moment);
  return dir;
}

async function write(
  dir: string,
  more: { repository?: string; tag?: string; mountFrom?: string; to?: RegistryClient; on?: Layer } = {},
) {
  const { repository = "orders", tag, mountFrom, to = client, on = base } = more;
  return writeImage({
    client: to,
    base: [on],
    files: { dir, copy: ["dist", "package.json"], at: "/app" },
    command: ["node", "dist/server.js"],
    env: { NODE_ENV: "production", A: "1" },
    labels: { "dev.slipway.service": "orders" },
    createdAt: instant("2026-11-23T10:00:00Z"),
    repository,
    cacheDir: join(folder, "cache"),
    ...(tag === undefined ? {} : { tag }),
    ...(mountFrom === undefined ? {} : { mountFrom }),
  });
}

describe("an image of a built workspace", () => {
  test("is written, pushed, pulled by digest and unpacked", async () => {
    const written = await write(await workspace(), { tag: nextCommit() });

    const image = await pullAndUnpack({
      client,
      repository: "orders",
      digest: written.digest,
      into: join(folder, "a"),
    });

    expect(image.command).toEqual(["node", "dist/server.js"]);
    expect(image.env).toEqual({ A: "1", NODE_ENV: "production", PATH: "/usr/local/bin:/usr/bin:/bin" });
    expect(image.workingDir).toBe("/app");
    expect(image.user).toBe("65534:65534");
    expect((await readdir(join(image.root, "app"))).sort()).toEqual(["dist", "package.json"]);
    expect((await lstat(join(image.root, "app/dist/deep/run.sh"))).mode & 0o777).toBe(0o755);
    expect((await lstat(join(image.root, "app/dist/server.js"))).mode & 0o777).toBe(0o644);
    expect(await readFile(join(image.root, "etc/passwd"), "utf8")).toContain("nobody:x:65534");
  });

  test.skipIf(!canUnshare)("runs from its unpacked root (skipped where user namespaces are not allowed)", async () => {
    const on = await makeNodeBaseLayer({ nodePath: process.execPath, dir: sharedFolder("bases") });
    const written = await write(await workspace("it runs"), { on });
    const image = await pullAndUnpack({
      client,
      repository: "orders",
      digest: written.digest,
      into: join(folder, "a"),
    });

    const { stdout } = await run(
      "unshare",
      ["--user", "--map-root-user", `--root=${image.root}`, "--wd=/app", "/usr/bin/node", ...image.command.slice(1)],
      { timeout: 90_000, env: { PATH: image.env.PATH } },
    );

    expect(stdout.trim()).toBe(`it runs ${process.version} /app`);
  });

  test("has the same digest from another folder, with other file times and an empty cache", async () => {
    const first = await write(await workspace());
    await rm(join(folder, "cache"), { recursive: true });

    const second = await write(await workspace());
    const changed = await write(await workspace("changed"));

    expect(second.digest).toBe(first.digest);
    expect(changed.digest).not.toBe(first.digest);
  });

  test("sends only what is new: the base is mounted into another repository and there the next time", async () => {
    await write(await workspace());

    const mounted = await write(await workspace(), { repository: "payments", mountFrom: "orders" });
    const again = await write(await workspace(), { repository: "payments", mountFrom: "orders" });

    expect(mounted.blobs).toEqual({ uploaded: 2, mounted: 1, present: 0 });
    expect(again.blobs).toEqual({ uploaded: 0, mounted: 0, present: 3 });
  });

  test("under a commit that stands for another image is refused", async () => {
    const commit = nextCommit();
    await write(await workspace("one"), { tag: commit });

    const refused = await write(await workspace("two"), { tag: commit }).catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(OciError);
    expect(refused).toMatchObject({ kind: "refused", status: 409, code: "DENIED" });
  });

  test("is not pushed with a token that may only pull, nor with a wrong one", async () => {
    const viewer = await write(await workspace("v"), { to: registry.oci("viewer") }).catch((error: unknown) => error);
    const nobody = await write(await workspace("n"), { to: registry.oci("slp_wrong") }).catch(
      (error: unknown) => error,
    );

    expect(viewer).toMatchObject({ kind: "forbidden" });
    expect(nobody).toMatchObject({ kind: "unauthorised" });
  });

  test("whose blobs go in small chunks arrives whole", async () => {
    const chunky = registry.oci("artifact-registry", { chunkBytes: 20_000 });

    const written = await write(await workspace("chunky"), { repository: "chunky/app", to: chunky });
    const image = await pullAndUnpack({
      client: chunky,
      repository: "chunky/app",
      digest: written.digest,
      into: join(folder, "chunky"),
    });

    expect((await readFile(join(image.root, certificates))).byteLength).toBeGreaterThan(100_000);
    expect(written.blobs).toEqual({ uploaded: 3, mounted: 0, present: 0 });
  });
});

describe("unpacking", () => {
  test("by many at once, by two clients, happens once and all get the same root", async () => {
    const written = await write(await workspace("many"));
    const other = registry.oci("viewer");
    const into = join(folder, "many");

    const images = await Promise.all(
      [client, other, client, other].map((puller) =>
        pullAndUnpack({ client: puller, repository: "orders", digest: written.digest, into }),
      ),
    );

    expect(new Set(images.map((image) => image.root)).size).toBe(1);
    const left = (await readdir(into)).filter((name) => name.includes(".making") || name.endsWith(".lock"));
    expect(left).toEqual([]);
  });

  test("of a second image on the same base shares the base's bytes and never writes into them", async () => {
    const into = join(folder, "shared");
    const [one, two] = [await write(await workspace("one")), await write(await workspace("two"))];

    const first = await pullAndUnpack({ client, repository: "orders", digest: one.digest, into });
    const second = await pullAndUnpack({ client, repository: "orders", digest: two.digest, into });

    expect((await stat(join(first.root, certificates))).ino).toBe((await stat(join(second.root, certificates))).ino);
    expect(await readFile(join(first.root, "app/dist/server.js"), "utf8")).toContain("one");
    expect(await readFile(join(second.root, "app/dist/server.js"), "utf8")).toContain("two");
  });

  test("of a digest that is not there says so and leaves nothing", async () => {
    const into = join(folder, "absent");
    const digest = `sha256:${"0".repeat(64)}` as Layer["digest"];

    const error = await pullAndUnpack({ client, repository: "orders", digest, into }).catch(
      (thrown: unknown) => thrown,
    );

    expect(error).toMatchObject({ kind: "not_found" });
    expect(await readdir(into)).toEqual([]);
  });
});

describe.skipIf(!hasSkopeo)("skopeo (skipped where it is not installed)", () => {
  const insecure = { in: "--src-tls-verify=false", out: "--dest-tls-verify=false" };
  const credentials = () => `service:${registry.host.tokens.get("artifact-registry")}`;
  const name = () => new URL(registry.host.url).host;

  test("copies our image out, and another one in under a tag", async () => {
    const commit = nextCommit();
    const written = await write(await workspace("skopeo"), { tag: commit });
    const out = join(folder, "skopeo-out");

    await run("skopeo", [
      "copy",
      insecure.in,
      "--src-creds",
      credentials(),
      `docker://${name()}/orders:${commit}`,
      `dir:${out}`,
    ]);
    await run("skopeo", [
      "copy",
      insecure.out,
      "--dest-creds",
      credentials(),
      `dir:${out}`,
      `docker://${name()}/from/skopeo:v1`,
    ]);
    const inspected = await run("skopeo", [
      "inspect",
      "--tls-verify=false",
      "--creds",
      credentials(),
      `docker://${name()}/from/skopeo:v1`,
    ]);

    expect(JSON.parse(inspected.stdout)).toMatchObject({ Digest: written.digest, Architecture: expect.any(String) });
    expect(await client.resolve("from/skopeo", "v1")).toBe(written.digest);
  });

  test("is refused without a token and when it deletes", async () => {
    const bare = run("skopeo", ["inspect", "--tls-verify=false", "--no-creds", `docker://${name()}/orders:latest`]);
    await expect(bare).rejects.toThrow(/unauthorized|authentication required|token/i);

    const deleting = run("skopeo", [
      "delete",
      "--tls-verify=false",
      "--creds",
      credentials(),
      `docker://${name()}/from/skopeo:v1`,
    ]);
    await expect(deleting).rejects.toThrow(/405|not supported|unsupported/i);
  });
});
