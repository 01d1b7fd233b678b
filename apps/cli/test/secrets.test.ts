import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { probeIsolation } from "@slipway/executor";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Asked, scriptedPlatform } from "./scripted-platform.ts";
import { slipwayWith, writeTree } from "./slipway.ts";

let folder: string;
let platform: Awaited<ReturnType<typeof scriptedPlatform>>;
let env: Record<string, string>;
let asked: Asked[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-cli-secrets-"));
  platform = await scriptedPlatform(answerTo);
  ({ asked } = platform);
  ({ env } = platform);
});
afterAll(async () => {
  platform?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  asked.length = 0;
});

/** What the platform would answer, as far as the command line reads it. */
function answerTo(method: string, path: string): object {
  const scope = /environments\/([a-z]+)/.exec(path)?.[1] ?? "build";
  const name = path.split("/").at(-1) ?? "";
  if (method === "DELETE") return { name, service: "orders", scope };
  const view = (each: string, where: string, readable = true) => ({
    ...{ name: each, service: "orders", scope: where, revision: "00ff", set_by: "ada", readable },
    set_at: "2026-05-01T10:00:00.000Z",
  });
  if (method === "PUT") return path.includes("/ordrs/") ? { ...view(name, scope), warning } : view(name, scope);
  return { secrets: path.includes("repositories") ? [view("NPM_TOKEN", "build")] : [view("DB_URL", "prod", false)] };
}

const warning = 'No service ordrs is known yet, did you mean "orders"?';

const secrets = (input: string, ...args: string[]) => slipwayWith(folder, { env, input }, "secrets", ...args);

test("set sends what comes by standard input, without the line end that echo adds, and prints no value", async () => {
  const ran = await secrets("  hunter2 \n", "set", "orders", "DB_URL", "--env", "prod");

  expect(ran).toMatchObject({ code: 0, err: "" });
  expect(ran.out).toBe("DB_URL of orders is set (prod, revision 00ff)\n");
  expect(asked).toEqual([
    { method: "PUT", path: "/api/v1/services/orders/environments/prod/secrets/DB_URL", body: { value: "  hunter2 " } },
  ]);
});

test("set of a service that nobody knows says so beside the answer", async () => {
  const ran = await secrets("hunter2", "set", "ordrs", "DB_URL", "--env", "prod");

  expect(ran).toMatchObject({ code: 0, out: expect.stringContaining("is set"), err: `${warning}\n` });
});

test("set takes a file as it is, and --build goes to the builds", async () => {
  await writeFile(join(folder, "key.pem"), "one\ntwo\n");

  await secrets("", "set", "orders", "KEY", "--build", "--from-file", "key.pem");

  expect(asked).toEqual([
    { method: "PUT", path: "/api/v1/repositories/orders/secrets/KEY", body: { value: "one\ntwo\n" } },
  ]);
});

test("a value among the arguments is refused without repeating it, before anything is sent", async () => {
  const refused = await Promise.all([
    secrets("x", "set", "orders", "DB_URL=hunter2", "--env", "prod"),
    secrets("x", "set", "orders", "DB_URL", "hunter2", "--env", "prod"),
  ]);

  for (const { code, out, err } of refused) {
    expect(code).toBe(2);
    expect(err).toContain("standard input");
    expect(out + err).not.toContain("hunter2");
  }
  expect(asked).toEqual([]);
});

test("what cannot be meant is refused with exit code 2", async () => {
  const [nowhere, reserved, empty, long] = await Promise.all([
    secrets("x", "set", "orders", "DB_URL"),
    secrets("x", "set", "orders", "LD_PRELOAD", "--build"),
    secrets("\n", "set", "orders", "DB_URL", "--env", "prod"),
    secrets("x".repeat(40_000), "set", "orders", "DB_URL", "--env", "prod"),
  ]);

  expect(nowhere).toMatchObject({ code: 2, err: expect.stringContaining("either --env ENVIRONMENT or --build") });
  expect(reserved).toMatchObject({ code: 2, err: expect.stringContaining("reserved") });
  expect(empty).toMatchObject({ code: 2, err: expect.stringContaining("empty") });
  expect(long).toMatchObject({ code: 2, err: expect.stringContaining("32768") });
  expect(asked).toEqual([]);
});

test("list shows both kinds, and what has lost its key; remove names what is gone", async () => {
  const list = await secrets("", "list", "orders");
  const removed = await secrets("", "remove", "orders", "NPM_TOKEN", "--build");

  expect(list.out).toMatch(/^NPM_TOKEN +build +2026-05-01T10:00:00.000Z +ada$/m);
  expect(list.out).toMatch(/^DB_URL +prod .*ITS KEY IS NOT THERE$/m);
  expect(removed.out).toBe("NPM_TOKEN of orders is removed (build)\n");
});

const isolation = await probeIsolation();
test.skipIf(isolation.kind === "refused")("run gives a step its secrets from the caller's own variables", async () => {
  const pipeline = "  build: { secrets: [NPM_TOKEN], run: 'test \"$NPM_TOKEN\" = here' }\n";
  const image = "image: { copy: [made.txt], command: [node, made.txt] }\n";
  await writeTree(folder, { "repo/slipway.yaml": `version: 1\nservice: shop\npipeline:\n${pipeline}${image}` });

  const without = await slipwayWith(folder, {}, "run", "repo");
  const given = await slipwayWith(folder, { env: { NPM_TOKEN: "here" } }, "run", "repo");

  expect(without.code).toBe(1);
  expect(without.out).toContain("set NPM_TOKEN");
  expect(given, given.out + given.err).toMatchObject({ code: 0 });
});
