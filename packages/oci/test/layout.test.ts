import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { arch } from "node:process";
import { afterAll, beforeEach, expect, test } from "vitest";
import { checkLayout, digestOf, mediaTypes, readLayout } from "../src/index.ts";

const root = await mkdtemp(join(tmpdir(), "slipway-layout-"));
afterAll(() => rm(root, { recursive: true, force: true }));

let folder = "";
let count = 0;
beforeEach(async () => {
  count += 1;
  folder = join(root, String(count));
  await mkdir(join(folder, "blobs", "sha256"), { recursive: true });
});

const pathOf = (digest: string) => join(folder, "blobs", "sha256", digest.slice("sha256:".length));

async function blob(mediaType: string, content: object | string, more: object = {}) {
  const bytes = Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
  const digest = digestOf(bytes);
  await writeFile(pathOf(digest), bytes);
  return { mediaType, digest, size: bytes.byteLength, ...more };
}

const platform = { architecture: arch === "x64" ? "amd64" : arch, os: "linux" };

async function image(made: object = platform) {
  const layer = await blob(mediaTypes.layer, "a layer");
  const rootfs = { type: "layers", diff_ids: [layer.digest] };
  const config = await blob(mediaTypes.config, { ...made, config: {}, rootfs });
  const manifest = await blob(mediaTypes.manifest, { schemaVersion: 2, config, layers: [layer] }, { platform: made });
  return { layer, config, manifest };
}

/** As BuildKit tells what an image was built from. */
async function attestation(predicate: object) {
  const type = { annotations: { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1" } };
  const layer = await blob("application/vnd.in-toto+json", { predicate }, type);
  const config = await blob(mediaTypes.config, {});
  const annotations = { "vnd.docker.reference.type": "attestation-manifest" };
  return blob(mediaTypes.manifest, { schemaVersion: 2, config, layers: [layer] }, { annotations });
}

const index = (manifests: object[]) => writeFile(join(folder, "index.json"), JSON.stringify({ manifests }));

test("the image of a layout is found in an index of an index, with its blobs and the images that it stands on", async () => {
  const { layer, config, manifest } = await image();
  const digest = { sha256: "a".repeat(64) };
  const resolvedDependencies = [
    { uri: "pkg:docker/127.0.0.1:5000/base@1?platform=linux%2Famd64", digest },
    { uri: "pkg:docker/node@24-slim?platform=linux%2Famd64", digest },
    { uri: "https://example.com/a.tar", digest },
  ];
  const told = await attestation({ buildDefinition: { resolvedDependencies } });
  await index([await blob(mediaTypes.index, { manifests: [manifest, told] })]);

  const read = await readLayout(folder);

  expect(read).toMatchObject({ digest: manifest.digest, mediaType: mediaTypes.manifest });
  expect(read.blobs.map((one) => one.digest)).toEqual([layer.digest, config.digest]);
  expect(read.bases).toEqual([`127.0.0.1:5000/base:1@sha256:${digest.sha256}`, `node:24-slim@sha256:${digest.sha256}`]);
  const bytes: Uint8Array[] = [];
  for await (const chunk of read.blobs[0]?.open(2) ?? []) bytes.push(chunk);
  expect(Buffer.concat(bytes).toString()).toBe("layer");
});

test("what SLSA 0.2 calls materials are images that it stands on, too", async () => {
  const { manifest } = await image();
  const told = await attestation({ materials: [{ uri: "pkg:docker/alpine?x=1", digest: { sha256: "b".repeat(64) } }] });
  await index([manifest, told]);

  expect((await readLayout(folder)).bases).toEqual([`alpine@sha256:${"b".repeat(64)}`]);
});

test("a byte that is another one than its digest says is found before anything is sent", async () => {
  const { layer, manifest } = await image();
  await index([manifest]);
  await writeFile(pathOf(layer.digest), "a Layer");

  await expect(readLayout(folder)).rejects.toMatchObject({ kind: "digest_mismatch" });
});

test("no link is followed, wherever it stands", async () => {
  const { layer, manifest } = await image();
  await index([manifest]);
  const elsewhere = join(root, `elsewhere-${count}`);
  await rename(pathOf(layer.digest), elsewhere);
  await symlink(elsewhere, pathOf(layer.digest));
  await expect(readLayout(folder)).rejects.toThrow("a part of the image is missing");
  await rm(pathOf(layer.digest));
  await rename(elsewhere, pathOf(layer.digest));

  await rename(join(folder, "blobs"), elsewhere);
  await symlink(elsewhere, join(folder, "blobs"));
  await expect(readLayout(folder)).rejects.toThrow("the step left no image");
});

test("a layout of anything else is whole where every blob that its manifest names has the bytes of its digest", async () => {
  const config = await blob("application/vnd.buildkit.cacheconfig.v0", { records: [] });
  const layer = await blob("application/vnd.in-nobody's-list", "a layer");
  const manifest = await blob(mediaTypes.manifest, { schemaVersion: 2, config, layers: [layer] });
  await expect(checkLayout(folder)).rejects.toThrow("a part of the image is missing");
  await index([manifest]);
  await checkLayout(folder);

  await writeFile(pathOf(config.digest), JSON.stringify({ records: {} }));
  await expect(checkLayout(folder)).rejects.toMatchObject({ kind: "digest_mismatch" });
  await rm(pathOf(config.digest));
  await expect(checkLayout(folder)).rejects.toMatchObject({ kind: "invalid" });
  await index([]);
  await expect(checkLayout(folder)).rejects.toThrow("does not name one manifest");
});

test.each([
  [
    "an image for several platforms",
    async () => [(await image()).manifest, (await image()).manifest],
    /several platforms/,
  ],
  ["an image for another machine", async () => [(await image({ architecture: "mips", os: "linux" })).manifest], /mips/],
  ["nothing", async () => [], /there is no image/],
  ["something else", async () => [await blob("application/json", {})], /has the type application\/json/],
])("%s is refused", async (_what, make, why) => {
  await index(await make());

  await expect(readLayout(folder)).rejects.toThrow(why);
});
