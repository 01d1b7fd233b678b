import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createClient } from "@slipway/client";
import { getImport, registerArtifact } from "@slipway/contracts";
import { systemClock } from "@slipway/kernel";
import { fileObjects } from "@slipway/objects";
import { digestOf, RegistryClient } from "@slipway/oci";
import { silentLogger } from "@slipway/sql";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Tables } from "../src/store/tables.ts";
import { storeBlob } from "../src/v2/blobs.ts";
import { dockerImage, dockerManifestType, type ForeignImage, revision } from "./foreign-images.ts";
import { killedInTheMiddle } from "./killed-publication.ts";
import { startFront } from "./published.ts";
import { type ProcessPlace, processPlace } from "./start-process.ts";
import { someBytes, startRegistry } from "./start-registry.ts";

// Each test starts the service twice in a process of its own, which is slow where much else runs.
vi.setConfig({ testTimeout: 300_000 });

let place: ProcessPlace;
beforeAll(async () => {
  place = await processPlace();
});
afterAll(() => place?.close());

async function clientOf(url: string): Promise<RegistryClient> {
  const password = await place.tokenOf("artifact-registry");
  return new RegistryClient({ url, auth: { username: "test", password } });
}

function source(bytes: Buffer) {
  return {
    digest: digestOf(bytes),
    size: bytes.byteLength,
    async *open(from: number) {
      yield bytes.subarray(from);
    },
  };
}

function manifestOf(config: Buffer, layer: Buffer) {
  const describe = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: describe("application/vnd.oci.image.config.v1+json", config),
    layers: [describe("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
  });
  return { mediaType, bytes: Buffer.from(text) };
}

test("killed between a blob and the manifest: nothing is visible, and the push goes on where it was", async () => {
  const [config, layer, tag] = [someBytes(500), someBytes(2_000_000), "c".repeat(40)];
  const manifest = manifestOf(config, layer);
  const first = await place.start();
  const before = await clientOf(first.url);
  await before.pushBlob("orders", source(layer));
  // A manifest cannot overtake its blobs, so a crash anywhere before this leaves none.
  await expect(before.putManifest("orders", tag, manifest)).rejects.toMatchObject({ code: "MANIFEST_BLOB_UNKNOWN" });
  await first.kill();
  await before.close();

  const second = await place.start();
  const after = await clientOf(second.url);
  expect(await after.listTags("orders")).toEqual([]);
  expect(await after.getManifest("orders", digestOf(manifest.bytes))).toBeUndefined();
  expect(await after.pushBlob("orders", source(layer))).toBe("present");
  expect(await after.pushBlob("orders", source(config))).toBe("uploaded");
  await after.putManifest("orders", tag, manifest);
  expect(await after.resolve("orders", tag)).toBe(digestOf(manifest.bytes));
  await after.close();
  await second.kill();
});

test("killed in the middle of an upload: the blob is not there, and sending it again succeeds", async () => {
  const bytes = someBytes(3_000_000);
  const first = await place.start();
  const before = await clientOf(first.url);
  const giveUp = new AbortController();
  let sent = 0;
  const slow = {
    ...source(bytes),
    async *open(from: number) {
      for (let at = from; at < bytes.length; at += 100_000) {
        if (sent === 1_000_000) await first.kill().then(() => giveUp.abort());
        sent += 100_000;
        yield bytes.subarray(at, at + 100_000);
      }
    },
  };
  await expect(before.pushBlob("orders", slow, { signal: giveUp.signal })).rejects.toMatchObject({
    kind: "unavailable",
  });
  await before.close();

  const second = await place.start();
  const after = await clientOf(second.url);
  expect(await after.headBlob("orders", digestOf(bytes))).toBeUndefined();
  expect(await after.pushBlob("orders", source(bytes))).toBe("uploaded");
  expect(await after.headBlob("orders", digestOf(bytes))).toEqual({ size: bytes.length });
  await after.close();
  await second.kill();
});

test("stopped between a blob's bytes and its row: the blob is not there until it is sent again", async () => {
  const bytes = someBytes();
  const digest = digestOf(bytes);
  const db = place.database.db<Tables>("registry");
  const objects = fileObjects({ root: join(place.dataDir, "torn") });
  const registry = { db, objects, clock: systemClock, log: silentLogger, maxBlobBytes: 1_000_000 };
  const torn = {
    ...registry,
    objects: {
      ...objects,
      put: async (key: string, body: Uint8Array | AsyncIterable<Uint8Array>) => {
        await objects.put(key, body);
        throw new Error("the process ends here");
      },
    },
  };

  await expect(storeBlob(torn, "torn/app", digest, source(bytes).open(0))).rejects.toThrow("ends here");
  const rows = () => db.selectFrom("blob").selectAll().where("digest", "=", digest).execute();
  expect(await rows()).toEqual([]);
  await storeBlob(registry, "torn/app", digest, source(bytes).open(0));
  expect(await rows()).toMatchObject([{ digest, size: bytes.length }]);
});

/** A foreign registry whose last layer is given only once somebody says so; what it was asked for. */
async function slowRegistry(image: ForeignImage) {
  const seen: string[] = [];
  const last = image.blobs.at(-1)?.digest ?? "";
  let open = false;
  const server = createServer((request, response) => {
    const asked = request.url?.split("/").at(-1) ?? "";
    seen.push(asked);
    if (asked === last && !open) return;
    const blob = image.blobs.find(({ digest }) => digest === asked);
    response.writeHead(200, { "content-type": dockerManifestType }).end(blob?.bytes ?? image.text);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: (digest: string) => seen.filter((one) => one === digest).length,
    last,
    giveAll: () => {
      open = true;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("killed in the middle of a foreign image's copy: it goes on by itself and fetches nothing twice", async () => {
  const image = dockerImage({ layers: 3 });
  const foreign = await slowRegistry(image);
  const first = await place.start();
  const before = createClient({ url: first.url, token: await place.tokenOf("deployer") });
  const body = { service: "shop", image: `${foreign.host}/vendor/app@${image.digest}`, git_sha: revision };
  const asked = await before.call(registerArtifact, { body });
  const id = "import_id" in asked ? asked.import_id : ("" as never);
  const whole = image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const missing = image.blobs.at(-1)?.bytes.length ?? 0;
  const copied = async () => (await before.call(getImport, { params: { id } })).bytes_copied;
  await until(async () => (await copied()) === whole - missing && foreign.asked(foreign.last) > 0, {
    what: "all layers but the last",
    timeoutMs: 60_000,
  });
  await first.kill();
  await before.close();

  foreign.giveAll();
  const second = await place.start();
  const after = createClient({ url: second.url, token: await place.tokenOf("viewer") });
  const ended = await until(
    async () => {
      const view = await after.call(getImport, { params: { id } });
      return view.status === "COPYING" ? undefined : view;
    },
    { what: "the end of the import", timeoutMs: 60_000 },
  );

  expect(ended).toMatchObject({ status: "REGISTERED", digest: image.digest, bytes_copied: whole });
  expect(image.blobs.slice(1, -1).map(({ digest }) => foreign.asked(digest))).toEqual([1, 1]);
  await after.close();
  await second.kill();
  foreign.close();
});

test("killed in the middle of publishing an image: it goes on by itself and sends nothing twice", async () => {
  const there = await startRegistry();
  const front = await startFront(there.host.url);
  const file = join(place.dataDir, "registries.json");
  const password_file = join(place.dataDir, "password");
  const host = { http: true, private: true, username: "slipway", password_file };
  await writeFile(password_file, there.host.tokens.get("artifact-registry") ?? "");
  await writeFile(file, JSON.stringify({ hosts: { [front.host]: host } }));
  const env = { SLIPWAY_PUBLISH_TO: `${front.host}/slipway`, SLIPWAY_EXTERNAL_REGISTRIES: file };

  const { image, commit, sentEach } = await killedInTheMiddle(place, front, env);

  expect(sentEach).toEqual(image.blobs.map(() => 1));
  expect(await there.oci("viewer").resolve("slipway/orders", commit)).toBe(image.digest);
  await front.close();
  await there.close();
});
