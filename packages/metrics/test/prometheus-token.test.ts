import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { metricsProblem } from "../src/index.ts";

let folder: string;
let file: string;
let url: string;
let host: string;
let valid = "first-of-the-test";
const server = createServer(({ headers }, response) => {
  const isLetIn = headers.authorization === `Bearer ${valid}`;
  const data = { resultType: "vector", result: [] };
  response.writeHead(isLetIn ? 200 : 401).end(isLetIn ? JSON.stringify({ status: "success", data }) : "no");
});
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-token-"));
  file = join(folder, "token");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  url = `prometheus:http://${host}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

test("a token is read for each question, and what is wrong with it is said without it", async () => {
  expect(await metricsProblem(url, file)).toBe(
    `the token of Prometheus in ${file} cannot be read (ENOENT): put it there, or correct metrics_token_file`,
  );
  await writeFile(file, "first-of-the-test\n");
  expect(await metricsProblem(url, file)).toBeUndefined();
  valid = "second-of-the-test";
  expect(await metricsProblem(url, file)).toBe(
    `Prometheus at ${host} refuses the token (401): put a valid one into ${file}`,
  );
  await writeFile(file, "second-of-the-test");
  expect(await metricsProblem(url, file)).toBeUndefined();
  await writeFile(file, "two\nlines-of-the-test");
  expect(await metricsProblem(url, file)).toBe(
    `${file} holds no token of Prometheus: put one there, on a single line and nothing else`,
  );
});

test("one that wants credentials and was given none says which it takes, and one that refuses a user says where that stands", async () => {
  expect(await metricsProblem(url)).toMatch(
    /wants to know who asks \(401\): .* metrics_url .* metrics_token_file names$/,
  );
  expect(await metricsProblem(url.replace("://", "://me:hidden-of-the-test@"))).toBe(
    `Prometheus at ${host} refuses user and password (401): correct them in metrics_url`,
  );
});
