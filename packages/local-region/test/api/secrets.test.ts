import { execFile, spawnSync } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { mergePatch, temporaryFolder, testRegion } from "./support/region.ts";

const path = "/api/v1/namespaces/prod/secrets";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const secret = (name: string, more: object = {}) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name },
  data: { DB_URL: base64("postgres://one") },
  ...more,
});

test("a Secret is kept and given as the real server does: Opaque, in base64, texts turned into data", async () => {
  const { send } = await testRegion();

  const { status, body } = await send("POST", path, secret("orders", { stringData: { KEY: "é" } }));

  expect(status).toBe(201);
  expect(body).toMatchObject({ type: "Opaque", data: { DB_URL: base64("postgres://one"), KEY: base64("é") } });
  expect(body).not.toHaveProperty("stringData");
  expect((await send("GET", `${path}/orders`)).body).toEqual(body);
});

test("what is not base64 is refused without repeating it", async () => {
  const { send } = await testRegion();

  const { status, body } = await send("POST", path, secret("orders", { data: { KEY: "my clear password" } }));

  expect(status).toBe(422);
  expect(JSON.stringify(body)).toContain("base64");
  expect(JSON.stringify(body)).not.toContain("clear password");
});

test("an immutable one may change its annotations and nothing that it holds", async () => {
  const { send } = await testRegion();
  await send("POST", path, secret("orders", { immutable: true }));
  const patch = (body: object) => send("PATCH", `${path}/orders`, body, mergePatch);

  expect((await patch({ metadata: { annotations: { "slipway.dev/epoch": "2" } } })).status).toBe(200);
  for (const change of [{ data: { DB_URL: base64("two") } }, { data: { MORE: base64("x") } }, { immutable: false }]) {
    const { status, body } = await patch(change);
    expect(status).toBe(422);
    expect(String(body.message)).toContain("immutable");
  }
  expect((await send("GET", `${path}/orders`)).body.data).toEqual({ DB_URL: base64("postgres://one") });
});

test("nobody reads one without the region's token, and no file that holds it is open to others", async () => {
  const { send, url, dir } = await testRegion();
  await send("POST", path, secret("orders"));

  for (const token of ["", "Bearer wrong"]) {
    const answer = await send("GET", `${path}/orders`, undefined, { authorization: token });
    expect(answer.status).toBe(401);
    expect(JSON.stringify(answer.body)).not.toContain(base64("postgres://one"));
  }
  expect(url).toMatch(/^https:/);
  const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const holding: string[] = [];
  for (const { parentPath, name } of files) {
    const file = join(parentPath, name);
    if (!(await readFile(file, "latin1")).includes(base64("postgres://one"))) continue;
    holding.push(name);
    expect((await stat(file)).mode & 0o077).toBe(0);
  }
  expect(holding.length).toBeGreaterThan(0);
});

const kubectl = spawnSync("kubectl", ["version", "--client"]).error === undefined;
test.skipIf(!kubectl)("kubectl lists Secrets by type and number of values", async () => {
  const { send, kubeconfigPath } = await testRegion();
  await send("POST", path, secret("orders"));
  const args = ["--kubeconfig", kubeconfigPath, "--cache-dir", await temporaryFolder(), "get", "secrets"];

  const { stdout } = await promisify(execFile)("kubectl", args, { timeout: 90_000 });

  expect(stdout).toMatch(/^orders\s+Opaque\s+1\s/m);
  expect(stdout).not.toContain(base64("postgres://one"));
});
