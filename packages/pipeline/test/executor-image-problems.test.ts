import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { executorImageProblems } from "../src/index.ts";

const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const architecture = process.arch === "x64" ? "amd64" : process.arch;
const config = JSON.stringify({ os: "linux", architecture, config: {}, rootfs: { type: "layers", diff_ids: [] } });
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const manifest = JSON.stringify({
  ...{ schemaVersion: 2, mediaType: manifestType },
  config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: digestOf(config), size: config.length },
  layers: [],
});

/** Has one image, `slipway:1`, and says of `secret` only that a password is needed. */
let server: Server;
let host: string;
beforeAll(async () => {
  server = createServer(({ url = "" }, response) => {
    if (url.startsWith("/v2/secret/")) response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
    else if (["1", digestOf(manifest)].some((name) => url === `/v2/slipway/manifests/${name}`))
      response.writeHead(200, { "content-type": manifestType }).end(manifest);
    else if (url === `/v2/slipway/blobs/${digestOf(config)}`) response.writeHead(200).end(config);
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const executor = (image: string, more = "") => `kubernetes:?image=${encodeURIComponent(image)}${more}`;

test("an image that its registry does not have is named with the setting that names it", async () => {
  const buildkit = `${host}/buildkit@${digestOf("none")}`;

  expect(await executorImageProblems(executor(`${host}/slipway:1`, `&buildkit_image=${buildkit}`), "")).toEqual([
    `the registry of ${buildkit} has no such image, so that nodes cannot pull it: correct buildkit_image= in SLIPWAY_EXECUTOR, or push it there`,
  ]);
  expect(await executorImageProblems(executor("ghcr.io/me/slipway:2"), `ghcr.io=http://${host}`)).toEqual([
    "the registry of ghcr.io/me/slipway:2 has no such image, so that nodes cannot pull it: correct image= in SLIPWAY_EXECUTOR, or push it there",
  ]);
});

test.each([
  ["that is there", () => executor(`${host}/slipway:1`)],
  ["of a registry that wants a password of the nodes", () => executor(`${host}/secret:1`)],
  ["of a registry that cannot be asked from here", () => executor("127.0.0.1:1/slipway:1")],
  ["of no registry, since steps run on this machine", () => ""],
])("an image %s is no problem", async (_, url) => {
  expect(await executorImageProblems(url(), "")).toEqual([]);
});
