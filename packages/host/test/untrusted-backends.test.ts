import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { makeCertificates } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkBackends } from "../src/index.ts";

type Where = { readonly host: string; readonly ca: string; readonly kubeconfig: string };

const known = getCACertificates("default");
const servers: Server[] = [];
let folder: string;
let expired: Where;
let another: Where;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-untrusted-"));
  [expired, another] = await Promise.all([
    serve("expired", { days: -1 }),
    serve("another", { names: "DNS:other.example" }),
  ]);
  setDefaultCACertificates([...known, expired.ca, another.ca]);
});
afterAll(async () => {
  setDefaultCACertificates(known);
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

/** Somebody behind TLS, whose authority is known. */
async function serve(name: string, how: { names?: string; days?: number }): Promise<Where> {
  const dir = join(folder, name);
  await mkdir(dir);
  const { certFile, keyFile, ca } = await makeCertificates(dir, how);
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  const server = createServer({ cert, key }, (_, response) => response.end("{}")).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfig = join(dir, "kubeconfig");
  const cluster = { server: `https://${host}`, "certificate-authority-data": Buffer.from(ca).toString("base64") };
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "eu", context: { cluster: "c", user: "u" } }],
    }),
  );
  return { host, ca, kubeconfig };
}

/** What is said of a service, a region and its Prometheus, and S3, which are all there. */
async function said({ host, kubeconfig }: Where): Promise<readonly string[]> {
  const regions = join(folder, `${host.replace(":", "-")}.json`);
  const metrics_url = `prometheus:https://${host}`;
  await writeFile(
    regions,
    JSON.stringify([{ name: "eu", kubeconfig, context: "eu", mesh_url: "http://m", metrics_url }]),
  );
  const checks = await checkBackends({
    SLIPWAY_REGIONS: regions,
    SLIPWAY_ARTIFACT_REGISTRY_URL: `https://${host}`,
    SLIPWAY_DATA: folder,
  });
  return checks.flatMap(({ problems }) => problems);
}

describe("a certificate that is not believed although its authority is known", () => {
  test("because it has expired is to be renewed, and nobody's authority to be corrected", async () => {
    const { host } = expired;
    const remedy = "has expired: renew it there, or correct this machine's clock";

    expect(await said(expired)).toEqual([
      `region eu: its certificate ${remedy}`,
      `region eu: the certificate of Prometheus at ${host} ${remedy}`,
      `the certificate of ${host} ${remedy}`,
    ]);
  });

  test("because it is another's names whose it is, and where the name that is asked for stands", async () => {
    const { host, kubeconfig } = another;
    const other = "is of another name (DNS:other.example)";

    expect(await said(another)).toEqual([
      `region eu: its certificate ${other}: name it in \`server\` of ${kubeconfig} as its certificate does, or say \`tls-server-name\` there`,
      `region eu: the certificate of Prometheus at ${host} ${other}: name it in metrics_url as its certificate does, or give it one for that name`,
      `the certificate of ${host} ${other}: name the artifact-registry in SLIPWAY_ARTIFACT_REGISTRY_URL as its certificate does, or give it one for ${host}`,
    ]);
  });
});
