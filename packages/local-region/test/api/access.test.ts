import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFile, readdir, readFile, stat } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { startApiServer } from "../../src/index.ts";
import { quiet } from "../support/quiet.ts";
import { configMaps } from "./support/objects.ts";
import { sender, type TestRegion, temporaryFolder, testRegion } from "./support/region.ts";

async function certificateOf({ port, caPem }: Pick<TestRegion, "port" | "caPem">, host = "127.0.0.1") {
  const socket: TLSSocket = connect({ port, host, ca: caPem, servername: "localhost" });
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "secureConnect");
  return new X509Certificate(socket.getPeerCertificate(true).raw);
}

test("who does not know the region's authority gets no connection", async () => {
  const { port } = await testRegion();
  const socket = connect({ port, host: "127.0.0.1" });

  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];

  expect(error.code).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
});

test("its certificate names loopback, and is for serving only", async () => {
  const region = await testRegion();

  const certificate = await certificateOf(region);

  expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(certificate.checkIP("::1")).toBe("::1");
  expect(certificate.checkHost("localhost")).toBe("localhost");
  expect(certificate.ca).toBe(false);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(certificate.verify(new X509Certificate(region.caPem).publicKey)).toBe(true);
});

test("nothing in its folder can be read by others", async () => {
  const { dir } = await testRegion();

  const entries = await readdir(dir, { recursive: true, withFileTypes: true });

  expect(entries.length).toBeGreaterThan(8);
  for (const entry of entries) {
    const { mode } = await stat(join(entry.parentPath, entry.name));
    expect(`${entry.name} ${(mode & 0o777).toString(8)}`).toBe(`${entry.name} ${entry.isDirectory() ? "700" : "600"}`);
  }
});

test("port, authority, certificate and token are the same after a restart: copied kubeconfigs go on working", async () => {
  const first = await testRegion();
  const before = await readFile(first.kubeconfigPath, "utf8");
  const certificate = await certificateOf(first);
  await first.stop();

  const second = await testRegion({ dir: first.dir });

  expect(await readFile(second.kubeconfigPath, "utf8")).toBe(before);
  expect((await certificateOf(second)).fingerprint256).toBe(certificate.fingerprint256);
  expect((await sender(first)("GET", configMaps)).status).toBe(200);
});

test("a certificate and a key that do not belong together are replaced, under the same authority", async () => {
  const first = await testRegion();
  await first.stop();
  await copyFile(join(first.dir, "pki", "ca.key"), join(first.dir, "pki", "server.key"));

  const second = await testRegion({ dir: first.dir });

  expect(second.caPem).toBe(first.caPem);
  expect((await sender(first)("GET", configMaps)).status).toBe(200);
});

test("a certificate that ends soon is renewed, under the same authority", async () => {
  const dir = await temporaryFolder();
  const at = (day: string) => ({ now: () => `${day}T00:00:00.000Z` as never, monotonicMs: () => performance.now() });
  const first = await startApiServer({ name: "a", dir, port: 0, log: quiet, clock: at("2026-01-01") });
  const before = await readFile(join(dir, "pki", "server.crt"), "utf8");
  await first.stop();

  const second = await startApiServer({ name: "a", dir, port: 0, log: quiet, clock: at("2026-12-20") });
  onTestFinished(() => second.stop());

  expect(await readFile(join(dir, "pki", "server.crt"), "utf8")).not.toBe(before);
  expect(second.caPem).toBe(first.caPem);
});

test("the kubeconfig has one context, of the region's name, in prod", async () => {
  const { kubeconfigPath, url } = await testRegion();

  const config = parse(await readFile(kubeconfigPath, "utf8")) as Record<string, unknown>;

  expect(config).toMatchObject({
    "current-context": "eu-west-1",
    clusters: [{ name: "eu-west-1", cluster: { server: url } }],
    contexts: [{ name: "eu-west-1", context: { cluster: "eu-west-1", namespace: "prod" } }],
  });
});

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

test.skipIf(!hasIpv6)(
  "a region on ::1 (skipped where the machine has none) writes an address that clients understand",
  async () => {
    const region = await testRegion({ host: "::1" });

    expect(region.url).toBe(`https://[::1]:${region.port}`);
    expect((await region.send("GET", configMaps)).status).toBe(200);
  },
);
