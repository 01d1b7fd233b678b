import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates, type TestCertificates } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { gitServer } from "./git-server.ts";
import { servedPlace } from "./served.ts";

const file = `version: 1
service: orders
pipeline:
  compile: { run: mkdir out && echo 1 > out/main.js }
image: { copy: [out], command: [node, out/main.js] }
`;

let folder = "";
let certificates: TestCertificates;
let repository: TestRepository;
let server: Server;
let url = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-forge-"));
  certificates = await makeCertificates(folder);
  repository = await testRepository(folder, "orders", false);
  const [key, cert] = await Promise.all([certificates.keyFile, certificates.certFile].map((path) => readFile(path)));
  server = createServer({ key, cert }, gitServer(folder)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  url = `https://ada:p%40ss%20word@127.0.0.1:${(server.address() as AddressInfo).port}/orders.git`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** A build of the repository by a process with these variables, as it ended. */
async function builtWith(env: Record<string, string>) {
  const place = await servedPlace(env);
  try {
    const served = await place.start();
    const sha = await repository.commit({ "slipway.yaml": file });
    return await served.ended(await served.push("orders", { url, sha }));
  } finally {
    await place.close();
  }
}

test("a repository behind a certificate that nobody trusts fails the build, which says what to do", async () => {
  const build = await builtWith({});

  expect(build.status).toBe("FAILED");
  expect(build.reason).toMatch(
    /certificate.*give that to build-service: NODE_EXTRA_CA_CERTS, in the chart caConfigMap/s,
  );
});

test("an authority that NODE_EXTRA_CA_CERTS names is believed where repositories are fetched", async () => {
  const build = await builtWith({ NODE_EXTRA_CA_CERTS: certificates.caFile });

  expect(build, build.reason ?? "").toMatchObject({ status: "SUCCEEDED" });
});
