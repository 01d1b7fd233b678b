import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { type Asked, scriptedPlatform } from "./scripted-platform.ts";
import { slipwayWith } from "./slipway.ts";

let folder: string;
let platform: Awaited<ReturnType<typeof scriptedPlatform>>;
let url: string;
let asked: Asked[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-cli-repositories-"));
  platform = await scriptedPlatform(answerTo);
  ({ asked } = platform);
  ({ url } = platform);
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
  if (method !== "GET") return { service: "orders", url: repository };
  const view = (service: string, credentials: boolean) => ({
    ...{ service, url: `https://git.example/${service}.git`, credentials, updated_at: "2026-05-01T10:00:00.000Z" },
  });
  return path.includes("page_token=1")
    ? { repositories: [view("shop", true)], next_page_token: null }
    : { repositories: [view("orders", false)], next_page_token: "1" };
}

const repository = "https://git.example/orders.git";
const secret = "0123456789abcdef-and-more";
const repositories = (input: string, ...args: string[]) =>
  slipwayWith(folder, { env: platform.env, input }, "repositories", ...args);

test("set sends the secret that comes by standard input, without the line end that echo adds, and says where the webhook goes", async () => {
  const ran = await repositories(`${secret}\n`, "set", "orders", repository);

  expect(ran).toMatchObject({ code: 0, out: `orders is built from ${repository}\n` });
  expect(ran.err).toBe(`Its webhook: ${url}/webhooks/github, with this secret, for the event push.\n`);
  expect(asked).toEqual([{ method: "PUT", path: "/api/v1/repositories/orders", body: { url: repository, secret } }]);
});

test("who may fetch comes from files, whatever characters it has, and nothing of it is printed", async () => {
  await writeFile(join(folder, "secret"), `${secret}\n`);
  await writeFile(join(folder, "token"), "p@ss%41/word\n");
  const files = ["--secret-file", "secret", "--username", "a:b", "--password-file", "token"];
  const ran = await repositories("", "set", "orders", repository, ...files);

  expect(ran).toMatchObject({ code: 0 });
  expect(ran.out + ran.err).not.toMatch(/ss%41|0123456789abcdef/);
  const sent = new URL(z.looseObject({ url: z.string() }).parse(asked[0]?.body).url);
  expect([sent.username, sent.password].map(decodeURIComponent)).toEqual(["a:b", "p@ss%41/word"]);
  expect(asked[0]?.body).toMatchObject({ secret });
});

test("a password or a secret among the arguments is refused without repeating it, before anything is sent", async () => {
  const refused = await Promise.all([
    repositories(secret, "set", "orders", "https://ada:hunter22@git.example/orders.git"),
    repositories(secret, "set", "orders", "https://hunter22@git.example/orders.git"),
    repositories(secret, "set", "orders", repository, "hunter22hunter22"),
  ]);

  for (const { code, out, err } of refused) {
    expect(code).toBe(2);
    expect(err).toContain("Change the one just typed");
    expect(out + err).not.toContain("hunter22");
  }
  expect(asked).toEqual([]);
});

test("what cannot be meant is refused with exit code 2, without repeating what may be a secret", async () => {
  const [short, lines, empty, alone, nowhere] = await Promise.all([
    repositories("hunter22", "set", "orders", repository),
    repositories(`hunter22\n${secret}\n`, "set", "orders", repository),
    repositories("", "set", "orders", repository),
    repositories(secret, "set", "orders", repository, "--username", "ada"),
    repositories("", "set", "orders", repository, "--secret-file", "nowhere"),
  ]);

  expect(short).toMatchObject({ code: 2, err: expect.stringContaining("openssl rand -hex 32") });
  expect(lines).toMatchObject({ code: 2, err: expect.stringContaining("one line") });
  expect(short.err + lines.err).not.toContain("hunter22");
  expect(empty).toMatchObject({ code: 2, err: expect.stringContaining("one line") });
  expect(alone).toMatchObject({ code: 2, err: expect.stringContaining("go together") });
  expect(nowhere).toMatchObject({ code: 2, err: expect.stringContaining("nowhere cannot be read") });
  expect(asked).toEqual([]);
});

test("the lines of the guide are taken as they stand", async () => {
  await writeFile(join(folder, "webhook-secret"), `${secret}\n`);
  await writeFile(join(folder, "clone-token"), "github_pat_x\n");
  const guide = await readFile(new URL("../../../docs/guides/repositories.md", import.meta.url), "utf8");
  const lines = guide.replaceAll("\\\n", "").match(/^slipway repositories .*$/gm) ?? [];

  expect(lines.length).toBe(4);
  for (const line of lines) {
    const [, , ...words] = line.replace(/ +#.*$/, "").split(/ +/);
    expect(await repositories("", ...words), line).toMatchObject({ code: 0 });
  }
  expect(
    asked.map(({ body }) => (body === undefined ? undefined : z.object({ url: z.url() }).parse(body).url)),
  ).toEqual([
    ...["https://github.com/acme/orders.git", undefined, undefined],
    ...["https://x-access-token:github_pat_x@github.com/acme/orders.git", undefined],
  ]);
});

test("list shows all of them, page by page, or one service's", async () => {
  const all = await repositories("", "list");
  await repositories("", "list", "shop");

  expect(all.out).toBe(
    "orders  https://git.example/orders.git  2026-05-01T10:00:00.000Z\nshop    https://git.example/shop.git    2026-05-01T10:00:00.000Z  with a password\n",
  );
  expect(asked.map(({ path }) => path)).toEqual([
    ...["/api/v1/repositories?page_size=500", "/api/v1/repositories?page_size=500&page_token=1"],
    ...[
      "/api/v1/repositories?service=shop&page_size=500",
      "/api/v1/repositories?service=shop&page_size=500&page_token=1",
    ],
  ]);
});

test("remove forgets one service's, and says which it was", async () => {
  const ran = await repositories("", "remove", "orders");

  expect(ran).toMatchObject({ code: 0, out: `orders is no longer built from ${repository}\n` });
  expect(asked).toEqual([{ method: "DELETE", path: "/api/v1/repositories/orders", body: undefined }]);
});
