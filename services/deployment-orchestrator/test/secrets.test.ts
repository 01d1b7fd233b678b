import { randomBytes } from "node:crypto";
import { databaseText, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gitSha, type OrchestratorHost, startHost } from "./support/host.ts";

let platform: OrchestratorHost;
beforeAll(async () => {
  platform = await startHost();
});
afterAll(() => platform.close());

const value = `postgres://orders:${randomBytes(12).toString("hex")}@db/orders`;
const other = `postgres://orders:${randomBytes(12).toString("hex")}@db/orders`;
const path = (environment: string, name = "DB_URL") =>
  `/api/v1/services/orders/environments/${environment}/secrets/${name}`;
const put = (environment: string, as: string, secret = value) =>
  platform.fetch(path(environment), { method: "PUT", as, body: { value: secret } });
const deploy = (environment: string, query = "", as = "deployer") =>
  platform.fetch(`/api/v1/deployments${query}`, {
    method: "POST",
    as,
    body: { service: "orders", version: gitSha, strategy: "canary", environment, confirm_initial: true },
  });

type Accepted = { deployment_id: string; deployment: { version: string } };

describe("who may set a secret", () => {
  test("of production: an approver or admin; elsewhere a deployer or admin; nobody else anywhere", async () => {
    const answers: string[] = [];
    for (const environment of ["staging", "prod"]) {
      for (const as of ["viewer", "deployer", "approver", "admin", "artifact-registry"]) {
        answers.push(`${environment} ${as} ${(await put(environment, as)).status}`);
        await platform.fetch(path(environment), { method: "DELETE", as: "admin" });
      }
    }
    expect(answers).toEqual([
      ...["staging viewer 403", "staging deployer 200", "staging approver 403", "staging admin 200"],
      ...["staging artifact-registry 403", "prod viewer 403", "prod deployer 403", "prod approver 200"],
      ...["prod admin 200", "prod artifact-registry 403"],
    ]);
  });

  test("and who may remove one, likewise", async () => {
    await put("prod", "approver");

    const removed = await platform.fetch(path("prod"), { method: "DELETE", as: "deployer" });

    expect(removed.status).toBe(403);
    expect(await removed.json()).toMatchObject({ code: "auth.forbidden", detail: expect.stringContaining("approver") });
  });

  test("an environment that is not there has none", async () => {
    expect((await put("nowhere", "admin")).status).toBe(404);
  });
});

test("a secret of a service that nobody knows is kept and warned of, and one of a service with an artifact is not", async () => {
  const other = await platform.fetch(path("staging").replace("orders", "ordrs"), {
    ...{ method: "PUT", as: "deployer", body: { value } },
  });
  const known = await put("staging", "deployer");
  await platform.fetch(path("staging"), { method: "DELETE", as: "admin" });

  expect([other.status, known.status]).toEqual([200, 200]);
  expect(await other.json()).toMatchObject({ warning: expect.stringContaining("No service ordrs is known yet") });
  expect(await known.json()).not.toHaveProperty("warning");
});

describe("a deployment", () => {
  test("is refused while a secret is missing, with the command that sets it, also as a dry run, also if prod has it", async () => {
    for (const query of ["?validate_only=true", ""]) {
      const refused = await deploy("staging", query);

      expect(refused.status).toBe(409);
      expect(await refused.json()).toMatchObject({
        code: "secret.missing",
        detail: "The secret DB_URL of orders for staging is not set.",
        remedy: "slipway secrets set orders DB_URL --env staging",
      });
    }
  });

  test("gives its pods the environment's value, through a Secret named after the version", async () => {
    await put("staging", "deployer");
    const { deployment } = (await (await deploy("staging")).json()) as Accepted;

    const found = await until(
      async () => {
        const secret = await platform.kube(`/api/v1/namespaces/staging/secrets/${deployment.version}`);
        return secret.status === 200 ? secret.body : undefined;
      },
      { what: "the version's Secret" },
    );

    expect(found).toMatchObject({ immutable: true, data: { DB_URL: Buffer.from(value).toString("base64") } });
    expect((await platform.kube(`/api/v1/namespaces/prod/secrets/${deployment.version}`)).status).toBe(404);
  });

  test("with another value is another version, and with the same value the same one", async () => {
    const versionNow = async (): Promise<string> => {
      const { deployment } = (await (await deploy("staging")).json()) as Accepted;
      return deployment.version;
    };
    const first = await versionNow();
    await put("staging", "deployer", value);
    expect(await versionNow()).toBe(first);

    await put("staging", "deployer", other);
    const second = await versionNow();

    expect(second).not.toBe(first);
    expect(second.slice(0, 15)).toBe(first.slice(0, 15));
    await put("staging", "deployer", value);
    expect([first, second]).not.toContain(await versionNow());
  });
});

test("no table, no log line, no answer and no event holds a value", async () => {
  const answers = await Promise.all(
    [
      "/api/v1/services/orders/secrets",
      "/api/v1/deployments",
      "/api/v1/services/orders",
      "/metrics",
      "/openapi.json",
    ].map(async (each) => (await platform.fetch(each)).text()),
  );
  const texts = {
    database: await databaseText(platform.database.adminUrl),
    log: platform.logged.join("\n"),
    answers: answers.join("\n"),
  };

  expect(texts.answers).toContain("DB_URL");
  expect(texts.database).toContain("secret.set");
  for (const [where, text] of Object.entries(texts)) {
    for (const each of [value, other]) {
      for (const encoding of ["utf8", "hex", "base64"] as const) {
        const form = Buffer.from(each.slice(18)).toString(encoding).replace(/.?=*$/, "");
        expect(text.includes(form), `${where} holds a value as ${encoding}`).toBe(false);
      }
    }
  }
});
