import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { imageRegistryProblems } from "../src/index.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function served(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A registry that lets in one user. */
const registry = () =>
  served(({ url, headers }, response) => {
    const right = headers.authorization === `Basic ${Buffer.from("me:right").toString("base64")}`;
    if (url !== "/v2/") response.writeHead(404).end();
    else if (right) response.writeHead(200).end("{}");
    else response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
  });

test("a registry that lets in who asks, or wants nobody's password yet, has no problem", async () => {
  const host = await registry();

  expect(await imageRegistryProblems("")).toEqual([]);
  expect(await imageRegistryProblems(`${host}=http://me:right@${host},docker.io=http://${host}`)).toEqual([]);
});

test("each one that cannot be asked is named with what to correct, and never with its password", async () => {
  const [host, closed] = [await registry(), "127.0.0.1:1"];
  const page = await served((_, response) => response.writeHead(404).end("<h1>no</h1>"));
  const own = (at: string, access = `http://me:hunter2@${at}`) => `${at}=${access}`;

  const problems = await imageRegistryProblems(
    [own(host), own(closed), own(page), "ghcr.io=https://me:hunter2@nobody.invalid"].join(","),
  );

  expect(problems).toEqual([
    `the registry ${host} refuses user and password: correct them in SLIPWAY_IMAGE_REGISTRIES`,
    `nothing listens at ${closed}: start the registry, or correct its URL in SLIPWAY_IMAGE_REGISTRIES`,
    `what answers at ${page} is no image registry (status 404): correct its URL in SLIPWAY_IMAGE_REGISTRIES`,
    "the host of nobody.invalid, which stands for ghcr.io, is not known: correct it in SLIPWAY_IMAGE_REGISTRIES",
  ]);
  expect(await imageRegistryProblems("ghcr.io=me:hunter2")).toEqual([
    expect.stringMatching(/^SLIPWAY_IMAGE_REGISTRIES: ghcr\.io has no URL/),
  ]);
});
