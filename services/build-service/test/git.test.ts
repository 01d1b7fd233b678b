import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GitSha } from "@slipway/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkOut, GitRefused, sshIsThere } from "../src/git.ts";
import { parseRepositoryUrl, type RepositoryUrl } from "../src/repository-url.ts";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { gitServer } from "./git-server.ts";

let folder = "";
let repository: TestRepository;
let server: Server;
let url = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-git-"));
  repository = await testRepository(folder, "orders", false);
  server = createServer(gitServer(folder)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  url = `127.0.0.1:${(server.address() as AddressInfo).port}/orders.git`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

function checkOutOf(text: string, sha: string, into: string) {
  const parsed = parseRepositoryUrl(text, true) as RepositoryUrl;
  return checkOut({
    repository: parsed,
    credentials: parsed.credentials,
    gitSha: sha as GitSha,
    ref: "refs/heads/main",
    into: join(folder, into),
    gitDir: join(folder, `${into}-git`),
    signal: AbortSignal.timeout(90_000),
  });
}

test("a commit is fetched over http with credentials, and only its files are left", async () => {
  const sha = await repository.commit({ "a.txt": "one", "sub/b.txt": "two" });
  await repository.commit({ "a.txt": "later" });

  const { committedAt } = await checkOutOf(`http://ada:p%40ss%20word@${url}`, sha, "good");

  expect(await readFile(join(folder, "good", "a.txt"), "utf8")).toBe("one");
  expect(await readFile(join(folder, "good", "sub", "b.txt"), "utf8")).toBe("two");
  expect(existsSync(join(folder, "good", ".git"))).toBe(false);
  expect(existsSync(join(folder, "good-git"))).toBe(false);
  expect(committedAt).toMatch(/^\d{4}-.*\.000Z$/);
});

test("wrong credentials are refused for good, without asking anybody and without telling them", async () => {
  const sha = await repository.commit({});

  const attempt = checkOutOf(`http://ada:wrong-password@${url}`, sha, "wrong");

  await expect(attempt).rejects.toThrow(GitRefused);
  await expect(attempt).rejects.not.toThrow(/wrong-password/);
});

test("a server that is away is worth another attempt", async () => {
  const attempt = checkOutOf("http://127.0.0.1:9/orders.git", "0".repeat(40), "away");

  await expect(attempt).rejects.toThrow(/connect/i);
  await expect(attempt).rejects.not.toThrow(GitRefused);
});

test("what a repository asks git to run does not run", async () => {
  const marker = join(folder, "ran");
  const sha = await repository.commit({
    ".gitattributes": "* filter=evil\n",
    ".gitmodules": `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% ${marker}\n`,
    "a.txt": "text",
  });

  await checkOutOf(repository.url, sha, "hostile");

  expect(await readFile(join(folder, "hostile", "a.txt"), "utf8")).toBe("text");
  expect(existsSync(marker)).toBe(false);
});

test("an abort ends git", async () => {
  const parsed = parseRepositoryUrl(repository.url, true) as RepositoryUrl;
  const controller = new AbortController();
  const attempt = checkOut({
    repository: parsed,
    credentials: undefined,
    gitSha: "0".repeat(40) as GitSha,
    ref: "refs/heads/main",
    into: join(folder, "aborted"),
    gitDir: join(folder, "aborted-git"),
    signal: controller.signal,
  });

  controller.abort();

  await expect(attempt).rejects.toThrow(/abort/i);
});

test("an ssh is there where a folder of programs has one that can be run", async () => {
  const programs = await mkdtemp(join(folder, "programs-"));
  const path = `${join(folder, "nowhere")}:${programs}`;

  expect(await sshIsThere(path)).toBe(false);
  await writeFile(join(programs, "ssh"), "#!/bin/sh\n", { mode: 0o755 });
  expect(await sshIsThere(path)).toBe(true);
});
