import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getImport } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, dockerImage, ended, push, revision } from "./foreign-images.ts";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

let ours: TestRegistry;
let foreign: TestRegistry;
/** A registry that answers once a test says so. */
let slow: Server;
let answer: () => void;
beforeAll(async () => {
  [ours, foreign] = await Promise.all([
    startRegistry({ SLIPWAY_EXTERNAL_LOOPBACK: "true", SLIPWAY_MAX_IMPORTS: "1" }),
    startRegistry(),
  ]);
  const answers = new Promise<void>((resolve) => {
    answer = resolve;
  });
  slow = createServer((_request, response) => void answers.then(() => response.writeHead(404).end()));
  slow.listen(0, "127.0.0.1");
  await once(slow, "listening");
});
afterAll(async () => {
  slow?.closeAllConnections();
  slow?.close();
  await Promise.all([ours?.close(), foreign?.close()]);
});

test("more images than are copied at once wait, say behind how many, and come in the order in which they were asked for", async () => {
  const { host } = new URL(foreign.host.url);
  const credentials = { username: "anybody", password: foreign.host.tokens.get("viewer") ?? "" };
  const images = [dockerImage(), dockerImage()];
  for (const image of images) await push(foreign, "vendor/app", image);
  const waiting = async (id: string) => (await ours.as("viewer").call(getImport, { params: { id } })).waiting?.for;
  const waits = (id: string, text: string) =>
    until(async () => (await waiting(id))?.includes(text), { what: `${id} to wait: ${text}` });

  const slowImage = `127.0.0.1:${(slow.address() as AddressInfo).port}/x@sha256:${"0".repeat(64)}`;
  const asked = once(slow, "request");
  const first = await ask(ours, { image: slowImage, git_sha: revision });
  await asked;
  const [second, third] = [
    await ask(ours, { image: `${host}/vendor/app@${images[0]?.digest}`, git_sha: revision, credentials }),
    await ask(ours, { image: `${host}/vendor/app@${images[1]?.digest}`, git_sha: "b".repeat(40), credentials }),
  ];
  const place = "a place among the images that are copied: 1 of 1 (SLIPWAY_MAX_IMPORTS) is taken";
  await waits(second.import_id, `${place}, this import is the next`);
  await waits(third.import_id, `${place}, 1 more waits before this one`);
  answer();
  const ends = [await ended(ours, first), await ended(ours, second), await ended(ours, third)];

  expect(ends.map(({ status }) => status)).toEqual(["FAILED", "REGISTERED", "REGISTERED"]);
  const times = ends.map(({ ended_at: at }) => at ?? "");
  expect(times).toEqual(times.toSorted());
});
