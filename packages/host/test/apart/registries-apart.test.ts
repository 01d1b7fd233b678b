import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Client, createClient } from "@slipway/client";
import { getImport, registerArtifact } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PlatformApart, preparePlatform, type Replica } from "./platform-apart.ts";

const kib = 1_024;

describe("two artifact-registries on one store", () => {
  let platform: PlatformApart;
  let one: Replica;
  let other: Replica;
  let silent: Server;
  let client: Client;
  const imports: string[] = [];

  beforeAll(async () => {
    platform = await preparePlatform();
    const objects = pathToFileURL(join(platform.folder, "objects")).href;
    const env = { SLIPWAY_OBJECTS_URL: objects, SLIPWAY_EXTERNAL_LOOPBACK: "true", SLIPWAY_MAX_IMPORTS: "6" };
    [one, other] = await Promise.all([
      platform.start("artifact-registry", env),
      platform.start("artifact-registry", env),
    ]);
    for (const { url } of [one, other])
      await until(async () => (await fetch(`${url}/readyz`)).status === 200, { what: `${url} to be ready` });
    client = createClient({ url: other.url, token: platform.tokens.deployer });
    silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(silent, "listening");
  });
  afterAll(async () => {
    await client?.close();
    silent?.closeAllConnections();
    silent?.close();
    await platform?.stop();
  });

  test("an upload that ends at both at once is one blob, and each is told so", async () => {
    const bytes = randomBytes(300 * kib);
    const place = await begun(one);
    expect((await v2(other, "PATCH", place, bytes)).status).toBe(202);

    const ends = await Promise.all([one, other].map((replica) => v2(replica, "PUT", ended(place, bytes))));

    expect(ends.map(({ status }) => status)).toEqual([201, 201]);
    expect(await blobAt(other, bytes)).toEqual(bytes);
    // Who had no answer, and asks the other one, hears that it is done.
    expect((await v2(one, "PUT", ended(place, bytes))).status).toBe(201);
    expect((await v2(one, "PUT", ended(place, randomBytes(8)))).status).toBe(404);
  });

  test("images whose credentials came with the request are copied by the one that was given them", async () => {
    const asked = createClient({ url: one.url, token: platform.tokens.deployer });
    for (let n = 0; n < 6; n += 1) imports.push(await begunImport(asked, n));
    await asked.close();

    const held = await until(
      async () => {
        const rows = await copies();
        return rows.length === imports.length && rows.every(({ holder }) => holder !== null) ? rows : undefined;
      },
      { what: "all of them to be copied" },
    );
    expect(held.map(({ attempts }) => attempts)).toEqual(imports.map(() => 1));
    expect(held.filter(({ holder }) => !holder?.startsWith(`${one.pid}-`))).toEqual([]);
  });

  test("an upload goes on at the other one when the first is killed in the middle of a chunk; imports with credentials say what to do", async () => {
    const bytes = randomBytes(900 * kib);
    const chunk = (n: number) => bytes.subarray(n * 300 * kib, (n + 1) * 300 * kib);
    const place = await begun(one);
    expect((await v2(one, "PATCH", place, chunk(0))).status).toBe(202);
    expect((await v2(other, "PATCH", place, chunk(1))).status).toBe(202);
    let read = 0;
    const half = new ReadableStream<Uint8Array>({
      pull(controller) {
        // The rest never comes.
        if (read < 3) controller.enqueue(chunk(2).subarray(0, 10 * kib));
        read += 1;
      },
    });
    const cut = v2(one, "PATCH", place, half).then(
      () => "answered",
      () => "cut off",
    );
    await until(() => read >= 3, { what: "half a chunk to be on its way" });

    await one.end("SIGKILL");
    expect(await cut).toBe("cut off");
    const status = await v2(other, "GET", place);
    expect([status.status, status.headers.get("range")]).toEqual([204, `0-${600 * kib - 1}`]);
    expect((await v2(other, "PATCH", place, chunk(2))).status).toBe(202);
    expect((await v2(other, "PUT", ended(place, bytes))).status).toBe(201);
    expect(await blobAt(other, bytes)).toEqual(bytes);

    const view = () => client.call(getImport, { params: { id: imports[0] as never } });
    await until(async () => (await view()).status === "FAILED", { what: "an import to end", timeoutMs: 60_000 });
    expect((await view()).reason).toMatch(/credentials are not kept\. Ask again with them/);
  });

  async function begun(at: Replica): Promise<string> {
    const answer = await v2(at, "POST", "/v2/shop/blobs/uploads/");
    return answer.headers.get("location") ?? "";
  }

  const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const ended = (place: string, bytes: Uint8Array) => `${place}?digest=${digestOf(bytes)}`;

  async function blobAt(at: Replica, bytes: Uint8Array): Promise<Buffer> {
    const answer = await v2(at, "GET", `/v2/shop/blobs/${digestOf(bytes)}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  function v2(at: Replica, method: string, path: string, body?: Uint8Array | ReadableStream): Promise<Response> {
    const basic = Buffer.from(`anybody:${platform.tokens.admin}`).toString("base64");
    const type = body === undefined ? {} : { "content-type": "application/octet-stream" };
    return fetch(`${at.url}${path}`, {
      method,
      headers: { authorization: `Basic ${basic}`, ...type },
      ...(body === undefined ? {} : { body, duplex: "half" }),
    } as RequestInit);
  }

  async function begunImport(by: Client, n: number): Promise<string> {
    const { port } = silent.address() as AddressInfo;
    const image = `127.0.0.1:${port}/vendor/app@${digestOf(Buffer.from(String(n)))}`;
    const credentials = { username: "ada", password: "a password of hers" };
    const body = { service: "shop", image, credentials, git_sha: String(n).padEnd(40, "a") };
    const answer = await by.call(registerArtifact, { body: body as never });
    if (!("import_id" in answer)) throw new Error("a foreign image is an import first");
    return answer.import_id;
  }

  async function copies() {
    const { rows } = await sql<{ id: string; holder: string | null; attempts: number }>`
      select id, holder, attempts from command where kind = 'import' order by seq`.execute(
      platform.database.db<never>("registry"),
    );
    return rows;
  }
});
