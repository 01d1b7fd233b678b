import { type Client, createClient, type PlatformService, platformServices } from "@slipway/client";
import { listAuditOf, putService, requestPromotion, verifyAuditOf } from "@slipway/contracts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Hosts, registered, startHosts } from "./support/hosts.ts";

let hosts: Hosts;
let client: Client;
let digest: string;
beforeAll(async () => {
  hosts = await startHosts();
  digest = await registered(hosts, "orders", "3f2a91c0b7f1e6a1d2c3b4a5968778695a4b3c2d");
  client = createClient({ url: hosts.platform.url, token: hosts.platform.tokens.get("viewer") });
});
afterAll(async () => {
  await client?.close();
  await hosts?.close();
});

const entriesOf = async (log: PlatformService, query: object = {}) =>
  (await client.call(listAuditOf(log), { query })).entries.map(({ actor, action, subject }) => [
    actor,
    action,
    subject,
  ]);

test("each of the six answers for its audit log at the platform's address, and all are whole", async () => {
  for (const log of platformServices) {
    expect([log, await client.call(verifyAuditOf(log))]).toMatchObject([log, { verdict: "intact" }]);
    expect([log, Array.isArray(await entriesOf(log))]).toEqual([log, true]);
  }
});

test("what was done is found by the service that it was done about, by its subject, and by what else it names", async () => {
  const as = (name: string) => createClient({ url: hosts.platform.url, token: hosts.platform.tokens.get(name) });
  const [admin, deployer] = [as("admin"), as("deployer")];
  const body = { owner: "team-a" };
  await admin.call(putService, { params: { name: "orders" as never }, body });
  const asked = { params: { digest: digest as never }, body: { to: "staging" as never } };
  const { promotion_id: promotion } = await deployer.call(requestPromotion, asked);
  await Promise.all([admin.close(), deployer.close()]);

  const promoted = [
    ["deployer", "promotion.granted", promotion],
    ["deployer", "promotion.requested", promotion],
  ];
  expect(await entriesOf("artifact-registry", { service: "orders" })).toEqual([
    ...promoted,
    ["build-service", "artifact.registered", digest],
    ["build-service", "image.tagged", "orders:3f2a91c0b7f1e6a1d2c3b4a5968778695a4b3c2d"],
  ]);
  expect(await entriesOf("artifact-registry", { subject: promotion })).toEqual(promoted);
  expect(await entriesOf("artifact-registry", { subject: digest, action: "promotion" })).toEqual(promoted);
  expect(await entriesOf("artifact-registry", { service: "shop" })).toEqual([]);
  expect(await entriesOf("deployment-orchestrator", { service: "orders" })).toEqual([
    ["admin", "service.put", "orders"],
  ]);
});
