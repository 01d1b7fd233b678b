import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { instant } from "@slipway/kernel";
import { mediaTypes, RegistryClient, writeImage } from "@slipway/oci";
import { makeSmallRoot } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

let platform: Platform;
let small: TestRepository;
let other: TestRepository;
let host = "";
let toolsDigest = "";

beforeAll(async () => {
  platform = await startBuildService();
  small = await testRepository(platform.folder, "small", false);
  other = await testRepository(platform.folder, "other", false);
  await platform.register("small", small.url);
  await platform.register("other", other.url);
  host = new URL(platform.host.url).host;
  toolsDigest = await pushTools();
});
afterAll(() => platform.close());

/** An image of a few programs as `tools:1`, and an index of it for other machines only as `tools:foreign`. */
async function pushTools(): Promise<string> {
  const dir = join(platform.folder, "tools-root");
  await makeSmallRoot(dir);
  const auth = { username: "build-service", password: platform.host.tokens.get("build-service") ?? "" };
  const client = new RegistryClient({ url: platform.host.url, auth });
  const { digest } = await writeImage({
    ...{ client, base: [], files: { dir, copy: ["."], at: "" }, command: ["/bin/sh"], workingDir: "/" },
    env: { TOOL_HOME: "/opt/tool" },
    createdAt: instant("2026-01-05T09:00:00.000Z"),
    ...{ repository: "tools", tag: "1", cacheDir: join(platform.folder, "tools-layers") },
  });
  const platforms = [
    { mediaType: mediaTypes.manifest, digest, size: 1, platform: { architecture: "mips", os: "linux" } },
  ];
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: platforms };
  const bytes = Buffer.from(JSON.stringify(index));
  await client.putManifest("tools", "foreign", { mediaType: mediaTypes.index, bytes });
  await client.close();
  return digest;
}

type Built = { status: string; reason: string | null; digest: string | null; log: string };

async function build(repository: TestRepository, files: Record<string, string | null>): Promise<Built> {
  return buildOf(repository, await repository.commit(files), "main");
}

async function buildOf(repository: TestRepository, sha: string, branch: string): Promise<Built> {
  const id = await platform.buildOf(await platform.push({ url: repository.url, sha, ref: `refs/heads/${branch}` }));
  const { status, reason, digest } = await platform.ended(id);
  return { status, reason, digest, log: await platform.log(id) };
}

function file(
  service: string,
  pipeline: string,
  image = "{ base: static, copy: [out], command: [/app/out/main] }",
): string {
  return `version: 1\nservice: ${service}\npipeline:\n${pipeline}\nimage: ${image}\n`;
}

const manifestOf = (digest: string | null) => {
  const found = [...platform.registry.manifests.values()].find((held) => held.digest === digest);
  return JSON.parse(found?.bytes.toString("utf8") ?? "{}") as {
    config: { digest: string };
    layers: { digest: string; mediaType: string }[];
  };
};
const configOf = (digest: string | null) =>
  JSON.parse(platform.registry.blobs.get(manifestOf(digest).config.digest)?.toString("utf8") ?? "{}") as {
    config: { User: string; Env: string[]; Cmd: string[] };
  };

describe("a step with an image", () => {
  test("runs in its root, and log and provenance tell which it was by its digest", async () => {
    const built = await build(small, {
      "slipway.yaml": file(
        "small",
        `  tell: { image: "${host}/tools:1", run: "mkdir out; cat /etc/app/release $TOOL_HOME/data > out/main; ls /usr/bin; [ ! -e /usr/bin/git ]" }`,
      ),
    });

    expect(built, built.log).toMatchObject({ status: "SUCCEEDED" });
    expect(built.log).toContain(`tell | image ${host}/tools:1 is ${toolsDigest}\n`);
    expect(built.log).toContain("tell | touch\n");
    expect(platform.registry.artifacts.at(-1)?.provenance.images).toEqual([
      { used_by: "step tell", image: `${host}/tools:1@${toolsDigest}` },
    ]);
  });

  test.each([
    ["a name that the registry does not have", "tools:2", "the registry has no such image; check its name and tag"],
    ["an image of another kind of machine", "tools:foreign", "is not made for this machine"],
  ])("fails where it asks for %s, and says what to do", async (_what, name, said) => {
    const built = await build(small, {
      "slipway.yaml": file("small", `  tell: { image: "${host}/${name}", run: "true" }`),
    });

    expect(built).toMatchObject({ status: "FAILED", reason: expect.stringContaining(`step tell: the image ${host}/`) });
    expect(built.reason).toContain(said);
  });
});

describe("an image's base", () => {
  test("may be an image: its layers lie below the files, which run as an ordinary user", async () => {
    const built = await build(small, {
      "slipway.yaml": file(
        "small",
        `  make: { run: "mkdir out; echo hello > out/main" }`,
        `{ base: "${host}/tools:1", copy: [out], command: [cat, out/main], env: { GREETING: hello } }`,
      ),
    });

    expect(built, built.log).toMatchObject({ status: "SUCCEEDED" });
    const layers = manifestOf(built.digest).layers.map(({ digest }) => digest);
    expect(layers.slice(0, -1)).toEqual(manifestOf(toolsDigest).layers.map(({ digest }) => digest));
    expect(configOf(built.digest).config).toMatchObject({ User: "1000:1000", Cmd: ["cat", "out/main"] });
    expect(configOf(built.digest).config.Env).toEqual(
      expect.arrayContaining(["GREETING=hello", "TOOL_HOME=/opt/tool"]),
    );
    expect(platform.registry.artifacts.at(-1)?.provenance.images).toEqual([
      { used_by: "base", image: `${host}/tools:1@${toolsDigest}` },
    ]);
  });

  test("an unknown one fails the build and says so", async () => {
    const built = await build(small, {
      "slipway.yaml": file(
        "small",
        `  make: { run: "mkdir out; echo hello > out/main" }`,
        `{ base: "${host}/nothing:1", copy: [out], command: [cat] }`,
      ),
    });

    expect(built).toMatchObject({
      status: "FAILED",
      reason: expect.stringContaining("the registry has no such image"),
    });
  });

  test("static has certificates and no program", async () => {
    const built = await build(small, {
      "slipway.yaml": file("small", `  make: { run: "mkdir out; echo hello > out/main" }`),
    });

    expect(built, built.log).toMatchObject({ status: "SUCCEEDED" });
    const [base] = manifestOf(built.digest).layers;
    const names = await namesIn(platform.registry.blobs.get(base?.digest ?? "") ?? Buffer.alloc(0));
    expect(names).toContain("etc/ssl/certs/ca-certificates.crt");
    expect(names.filter((name) => name.startsWith("usr/bin/") || name.includes("libc"))).toEqual([]);
  });
});

async function namesIn(layer: Buffer): Promise<string[]> {
  const path = join(platform.folder, "layer.tar");
  await writeFile(path, gunzipSync(layer));
  const { stdout } = await promisify(execFile)("tar", ["-tf", path]);
  return stdout.split("\n");
}

describe("a step's cache", () => {
  const cached = (service: string, run: string) =>
    file(service, `  deps: { run: "${run}", cache: { key: [lock], paths: [deps, ~/.store] } }`).replace(
      "copy: [out]",
      "copy: [deps]",
    );
  const make = "ls deps ~/.store || true; mkdir -p deps ~/.store; echo one > deps/one; echo two > ~/.store/two";

  test("is kept after success, restored by the content of its key, and does not change the image", async () => {
    const sha = await small.commit({ "slipway.yaml": cached("small", make), lock: "1" });
    const first = await buildOf(small, sha, "main");
    await small.branch("again", sha);
    const second = await buildOf(small, sha, "again");

    expect(first.log).toContain("deps | cache: none yet\n");
    expect(first.log).toMatch(/deps \| cache: kept 0\.0 MiB by lock\n/);
    expect(second.log).toMatch(/deps \| cache: restored 0\.0 MiB by lock\n/);
    expect(second.log).toContain("deps | one\n");
    expect(second.log).toContain("deps | two\n");
    expect(second).toMatchObject({ status: "SUCCEEDED", digest: first.digest });
  });

  test("is another one for another content, another command and another service", async () => {
    const changed = await build(small, { "slipway.yaml": cached("small", make), lock: "2" });
    const rewritten = await build(small, { "slipway.yaml": cached("small", `true; ${make}`), lock: "1" });
    const theirs = await build(other, { "slipway.yaml": cached("other", make), lock: "1" });

    for (const { log } of [changed, rewritten, theirs]) expect(log).toContain("cache: none yet");
  });

  test("is not written by a step that fails, and a step cannot change what is kept", async () => {
    const failing = `${make}; echo poison > deps/one; exit 1`;
    const failed = await build(small, { "slipway.yaml": cached("small", failing), lock: "3" });
    const again = await build(small, { "slipway.yaml": cached("small", failing), lock: "3" });
    const poison = "cat deps/one || true; mkdir -p deps; echo poison > deps/one";
    await build(small, { "slipway.yaml": cached("small", poison), lock: "4" });
    const restored = await build(small, { "slipway.yaml": cached("small", poison), lock: "4", "x.txt": "1" });
    const twice = await build(small, { "slipway.yaml": cached("small", poison), lock: "4", "x.txt": "2" });

    expect(failed).toMatchObject({ status: "FAILED" });
    expect(failed.log).not.toContain("cache: kept");
    expect(again.log).toContain("cache: none yet");
    expect(restored.log).toContain("cache: restored");
    expect(twice.log).toContain("deps | poison\n");
    expect((await readdir(join(platform.folder, "data", "caches"))).sort()).toEqual(["other", "small"]);
  });

  test("is off where a key file is missing or is a link", async () => {
    const built = await build(small, { "slipway.yaml": cached("small", make), lock: null });

    expect(built, built.log).toMatchObject({ status: "SUCCEEDED" });
    expect(built.log).toContain("cache: off, lock is not a file of the workspace");
  });

  test("a link at a kept folder's place is never followed", async () => {
    const dir = join(platform.folder, "outside");
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, "secret"), "of this machine");
    const run = `ln -s ${dir} deps; mkdir -p ~/.store; echo two > ~/.store/two`;
    const built = await build(small, {
      "slipway.yaml": cached("small", run).replace("copy: [deps]", "copy: [lock]"),
      lock: "5",
    });

    expect(built.log).toContain("cache: kept");
    const kept = join(platform.folder, "data", "caches", "small");
    const contents = await Promise.all(
      (await readdir(kept)).map((key) => readFile(join(kept, key, "files/0/secret"), "utf8").catch(() => "none")),
    );
    expect(new Set(contents)).toEqual(new Set(["none"]));
  });
});
