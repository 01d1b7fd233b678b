import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { chooseBackend, engineAnswers } from "../real/backend.mjs";

const there = async () => true;
const nowhere = async () => false;

test("servers are containers where an engine answers, and processes where none does", async () => {
  const address = "unix:///run/other.sock";

  expect(await chooseBackend({ DOCKER_HOST: address }, there)).toEqual({ backend: "containers", engine: address });
  expect(await chooseBackend({}, there)).toEqual({ backend: "containers", engine: "unix:///var/run/docker.sock" });
  expect(await chooseBackend({}, nowhere)).toEqual({ backend: "processes" });
});

test("whoever says which has it; containers without an engine have one of the run's own", async () => {
  expect(await chooseBackend({ TEST_BACKEND: "processes" }, there)).toEqual({ backend: "processes" });
  expect(await chooseBackend({ TEST_BACKEND: "containers" }, nowhere)).toEqual({ backend: "containers" });
  await expect(chooseBackend({ TEST_BACKEND: "docker" }, there)).rejects.toThrow("containers or processes, not docker");
});

test("an engine answers when its ping is answered", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-engine-"));
  const socket = join(folder, "docker.sock");
  const server = createServer((request, answer) => answer.writeHead(request.url === "/_ping" ? 200 : 404).end("OK"));
  try {
    expect(await engineAnswers(`unix://${socket}`)).toBe(false);
    await new Promise((resolve) => server.listen(socket, resolve));
    expect(await engineAnswers(`unix://${socket}`)).toBe(true);
    await new Promise((resolve) => server.close(resolve));
    expect(await engineAnswers(`unix://${socket}`)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
