import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "@slipway/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pullAndUnpack, RegistryClient } from "../src/index.ts";

const objects = new Map<string, Buffer>();
const asked: string[] = [];
let server: Server;
let client: RegistryClient;
let into = "";

beforeAll(async () => {
  into = await mkdtemp(join(tmpdir(), "slipway-foreign-"));
  server = createServer((request, answer) => {
    const digest = (request.url ?? "").split("/").at(-1) ?? "";
    asked.push(digest);
    const type = "application/vnd.oci.image.manifest.v1+json";
    answer.writeHead(200, { "content-type": type, "docker-content-digest": digest }).end(objects.get(digest));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  client = new RegistryClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
afterAll(async () => {
  await client.close();
  server.close();
  await rm(into, { recursive: true, force: true });
});

function keep(value: object): { digest: Digest; size: number } {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
  objects.set(digest, bytes);
  return { digest, size: bytes.length };
}

test.each([
  ["linux", "s390x"],
  ["windows", "amd64"],
])("an image for %s/%s is refused by that name, before its layers are pulled", async (os, architecture) => {
  const layer = `sha256:${"1".repeat(64)}`;
  const config = keep({ os, architecture, rootfs: { type: "layers", diff_ids: [layer] } });
  const { digest } = keep({
    schemaVersion: 2,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: layer, size: 1_000_000_000 }],
  });

  await expect(pullAndUnpack({ client, repository: "orders", digest, into })).rejects.toThrow(
    new RegExp(`is not made for this machine .*the image is for ${os}/${architecture}`),
  );
  expect(asked).not.toContain(layer);
  expect(await readdir(into)).toEqual([]);
});
