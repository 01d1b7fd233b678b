import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instant } from "@slipway/kernel";
import { type ImageSource, mediaTypes, OciError, openImageSource, type RegistryAccess, writeImage } from "@slipway/oci";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

let registry: TestRegistry;
let folder: string;
let access: RegistryAccess | undefined;
let images: ImageSource;
let digest = "";
const name = (tag: string, host = "here") => ({ host, repository: "tools", tag, digest: undefined });

beforeAll(async () => {
  registry = await startRegistry();
  folder = await mkdtemp(join(tmpdir(), "slipway-source-"));
  const password = registry.host.tokens.get("artifact-registry") ?? "";
  access = { url: registry.host.url, auth: { username: "artifact-registry", password } };
  images = openImageSource({
    into: join(folder, "images"),
    access: (host) => (host === "here" ? access : undefined),
    deadlineMs: 5_000,
  });
  digest = await write("a".repeat(40), "hello");
});
afterAll(async () => {
  await images.close();
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

async function write(tag: string, text: string): Promise<string> {
  const dir = await mkdtemp(join(folder, "files-"));
  await mkdir(join(dir, "opt"));
  await writeFile(join(dir, "opt/said"), text);
  const written = await writeImage({
    ...{ client: registry.oci("artifact-registry"), base: [], files: { dir, copy: ["opt"], at: "" } },
    ...{ command: ["/opt/said"], env: { SAID: text }, createdAt: instant("2026-11-23T10:00:00Z") },
    ...{ repository: "tools", tag, cacheDir: join(folder, "layers") },
  });
  return written.digest;
}

const refusal = async (asking: Promise<unknown>): Promise<string> => {
  const error = await asking.then(
    () => "not refused",
    (thrown: unknown) => thrown,
  );
  return error instanceof OciError ? `${error.kind}: ${error.message}` : String(error);
};

test("an image named by its tag is fixed by its digest, unpacked, and built upon", async () => {
  const resolved = await images.resolve(name("a".repeat(40)));
  const unpacked = await images.unpack(resolved);
  const base = await images.base(resolved);
  const dir = await mkdtemp(join(folder, "upon-"));
  await writeFile(join(dir, "main"), "more");
  const upon = await writeImage({
    ...{ client: registry.oci("artifact-registry"), base: base.layers, files: { dir, copy: ["main"], at: "/app" } },
    ...{ command: ["main"], env: base.env, createdAt: instant("2026-11-23T10:00:00Z") },
    ...{ repository: "upon", tag: "b".repeat(40), cacheDir: join(folder, "layers") },
  });
  const whole = await images.unpack({ name: { ...name("x"), repository: "upon" }, digest: upon.digest });

  expect(resolved.digest).toBe(digest);
  expect(unpacked.env).toMatchObject({ SAID: "hello" });
  expect(base.env).toMatchObject({ SAID: "hello" });
  expect(await readFile(join(whole.root, "opt/said"), "utf8")).toBe("hello");
  expect(await readFile(join(whole.root, "app/main"), "utf8")).toBe("more");
});

test("an index is followed to this machine's image, and one without it is refused", async () => {
  const manifests = (architecture: string) => [
    { mediaType: mediaTypes.manifest, digest, size: 1, platform: { architecture, os: "linux" } },
  ];
  const put = (tag: string, architecture: string) => {
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: manifests(architecture) };
    const bytes = Buffer.from(JSON.stringify(index));
    return registry.oci("artifact-registry").putManifest("tools", tag, { mediaType: mediaTypes.index, bytes });
  };
  const own = process.arch === "x64" ? "amd64" : process.arch;
  await put("c".repeat(40), own);
  await put("d".repeat(40), "mips");

  expect((await images.resolve(name("c".repeat(40)))).digest).toBe(digest);
  expect(await refusal(images.resolve(name("d".repeat(40))))).toMatch(/the image is for linux\/mips.*name a tag/);
});

test("an unknown image, missing credentials and a registry that is away are told apart, with what to do", async () => {
  const without = { into: join(folder, "anonymous"), access: () => ({ url: registry.host.url }) };
  const anonymous = openImageSource({ ...without, deadlineMs: 30_000 });
  // Only one that is away is asked until its deadline.
  const impatient = openImageSource({ ...without, access: () => undefined, deadlineMs: 500 });
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const away = `127.0.0.1:${(closed.address() as AddressInfo).port}`;
  await new Promise((resolve) => closed.close(resolve));

  expect(await refusal(images.resolve(name("e".repeat(40))))).toMatch(/^not_found: .*check its name and tag at here/);
  expect(await refusal(anonymous.resolve(name("a".repeat(40))))).toMatch(
    /^unauthorised: .*give the credentials of here in SLIPWAY_IMAGE_REGISTRIES/,
  );
  expect(await refusal(impatient.resolve(name("1", away)))).toMatch(/^unavailable: .*name a mirror/);
  await Promise.all([anonymous.close(), impatient.close()]);
});
