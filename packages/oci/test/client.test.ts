import type { ServerResponse } from "node:http";
import type { Digest } from "@slipway/kernel";
import { afterEach, describe, expect, test } from "vitest";
import { type BlobSource, digestOf, OciError, RegistryClient, type RegistryClientOptions } from "../src/index.ts";
import { type Reply, type ScriptedServer, type Seen, scriptedServer } from "./scripted-server.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function server(...script: Parameters<typeof scriptedServer>): Promise<ScriptedServer> {
  const started = await scriptedServer(...script);
  open.unshift(started);
  return started;
}

function client(url: string, more: Partial<RegistryClientOptions> = {}): RegistryClient {
  const made = new RegistryClient({ url, random: () => 0, ...more });
  open.unshift(made);
  return made;
}

const auth = { username: "me", password: "secret" };
const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
const bytes = Buffer.from("0123456789".repeat(1_000));
const digest = digestOf(bytes);

function source(of: Buffer): BlobSource {
  return {
    digest: digestOf(of),
    size: of.byteLength,
    async *open(from) {
      yield of.subarray(from);
    },
  };
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

describe("authentication", () => {
  test("by Basic is sent once asked for, and from then on at once", async () => {
    const registry = await server(({ headers }) =>
      headers.authorization === basic
        ? { status: 200, headers: { "content-length": "7" } }
        : { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } },
    );
    const asking = client(registry.url, { auth });

    expect(await asking.headBlob("a", digest)).toEqual({ size: 7 });
    await asking.headBlob("a", digest);

    expect(registry.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, basic, basic]);
  });

  test("by Bearer asks the token server for the scope and uses the token again", async () => {
    const registry: ScriptedServer = await server(({ url, headers }) => {
      if (url.startsWith("/token")) return { status: 200, body: JSON.stringify({ token: "t1", expires_in: 300 }) };
      if (headers.authorization === "Bearer t1") return { status: 200, headers: { "content-length": "7" } };
      const realm = `Bearer realm="${registry.url}/token",service="reg"`;
      return { status: 401, headers: { "www-authenticate": realm } };
    });
    const asking = client(registry.url, { auth });

    await asking.headBlob("a/b", digest);
    await asking.headBlob("a/b", digest);

    const tokens = registry.seen.filter(({ url }) => url.startsWith("/token"));
    expect(tokens.map(({ url }) => url)).toEqual(["/token?service=reg&scope=repository%3Aa%2Fb%3Apull"]);
    expect(tokens[0]?.headers.authorization).toBe(basic);
    expect(registry.seen.length).toBe(4);
  });

  test("a token that anybody may have is asked for without a password, and once", async () => {
    const registry: ScriptedServer = await server(({ url, headers }) => {
      if (url.startsWith("/token")) return { status: 200, body: JSON.stringify({ token: "public" }) };
      const realm = `Bearer realm="${registry.url}/token",service="reg"`;
      const known = headers.authorization === "Bearer public" && url.includes("/open/");
      return known
        ? { status: 200, headers: { "content-length": "7" } }
        : { status: 401, headers: { "www-authenticate": realm } };
    });
    const asking = client(registry.url);

    expect(await asking.headBlob("open", digest)).toEqual({ size: 7 });
    await expect(asking.headBlob("closed", digest)).rejects.toMatchObject({ kind: "unauthorised" });

    const tokens = registry.seen.filter(({ url }) => url.startsWith("/token"));
    expect(tokens.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
    expect(registry.seen.length).toBe(6);
  });

  test("that is refused again is unauthorised, not tried for ever", async () => {
    const registry = await server(() => ({ status: 401, headers: { "www-authenticate": 'Basic realm="x"' } }));

    await expect(client(registry.url, { auth }).headBlob("a", digest)).rejects.toMatchObject({ kind: "unauthorised" });
    expect(registry.seen.length).toBe(2);
  });

  test("never follows a redirect to another place", async () => {
    const storage = await server(() => ({ status: 200, body: bytes }));
    const registry = await server(({ headers }) =>
      headers.authorization === basic
        ? { status: 307, headers: { location: `${storage.url}/signed?x=1` } }
        : { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } },
    );

    const blob = await readAll(await client(registry.url, { auth }).getBlob("a", digest));

    expect(blob).toEqual(bytes);
    expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});

describe("a registry that has trouble", () => {
  test("is asked again after 429 and 503", async () => {
    const statuses = [429, 503, 200];
    const registry = await server(() => ({
      status: statuses.shift() ?? 200,
      headers: { "retry-after": "0", "content-length": "7" },
    }));

    expect(await client(registry.url).headBlob("a", digest)).toEqual({ size: 7 });
    expect(registry.seen.length).toBe(3);
  });

  test("for longer than the deadline is unavailable", async () => {
    const registry = await server(() => ({ status: 503 }));

    const error = await client(registry.url, { deadlineMs: 2_000 })
      .headBlob("a", digest)
      .catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(OciError);
    expect(error).toMatchObject({ kind: "unavailable", status: 503 });
  });

  test("that says no is not asked again, and its code is kept", async () => {
    const body = JSON.stringify({ errors: [{ code: "NAME_INVALID", message: "no" }] });
    const registry = await server(() => ({ status: 400, body }));

    await expect(client(registry.url).getManifest("a", "v1")).rejects.toMatchObject({
      kind: "refused",
      status: 400,
      code: "NAME_INVALID",
    });
    expect(registry.seen.length).toBe(1);
  });

  test("that cannot be reached is unavailable", async () => {
    const gone = await scriptedServer(() => ({ status: 200 }));
    await gone.close();

    await expect(client(gone.url, { deadlineMs: 200 }).headBlob("a", digest)).rejects.toMatchObject({
      kind: "unavailable",
    });
  });
});

describe("reading", () => {
  test("a blob with other bytes is a digest mismatch", async () => {
    const registry = await server(() => ({ status: 200, body: "something else" }));

    const stream = await client(registry.url).getBlob("a", digest);

    await expect(readAll(stream)).rejects.toMatchObject({ kind: "digest_mismatch" });
  });

  test("a manifest by digest with other bytes is a digest mismatch", async () => {
    const registry = await server(() => ({ status: 200, body: "{}" }));

    await expect(client(registry.url).getManifest("a", digest)).rejects.toMatchObject({ kind: "digest_mismatch" });
  });

  test("a blob goes on where the connection broke", async () => {
    const registry = await server(({ headers }, _body, response) => {
      const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
      if (from > 0) return { status: 206, body: bytes.subarray(from) };
      response.writeHead(200, { "content-length": String(bytes.length) });
      response.write(bytes.subarray(0, 4_000), () => response.destroy());
      return undefined;
    });

    expect(await readAll(await client(registry.url).getBlob("a", digest))).toEqual(bytes);
    expect(registry.seen.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=4000-"]);
  });

  test("what is not there is undefined", async () => {
    const registry = await server(() => ({ status: 404 }));
    const asking = client(registry.url);

    expect(await asking.headBlob("a", digest)).toBeUndefined();
    expect(await asking.getManifest("a", "v1")).toBeUndefined();
    expect(await asking.resolve("a", "v1")).toBeUndefined();
    await expect(asking.getBlob("a", digest)).rejects.toMatchObject({ kind: "not_found" });
  });

  test("a name that would change the path is refused before anything is sent", async () => {
    const registry = await server(() => ({ status: 200 }));
    const asking = client(registry.url);

    await expect(asking.headBlob("../a", digest)).rejects.toMatchObject({ kind: "invalid" });
    await expect(asking.getManifest("a", "../../etc")).rejects.toMatchObject({ kind: "invalid" });
    expect(registry.seen).toEqual([]);
  });
});

describe("pushing", () => {
  test("what is there already sends nothing", async () => {
    const registry = await server(() => ({ status: 200, headers: { "content-length": String(bytes.length) } }));

    expect(await client(registry.url).pushBlob("a", source(bytes))).toBe("present");
    expect(registry.seen.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test("what another repository has is mounted", async () => {
    const registry = await server(({ method }) => ({ status: method === "HEAD" ? 404 : 201 }));

    expect(await client(registry.url).pushBlob("a", source(bytes), { mountFrom: "b" })).toBe("mounted");
    expect(registry.seen[1]?.url).toBe(`/v2/a/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=b`);
  });

  test("in chunks goes on where the registry says it is, after a chunk that was lost and one that was kept", async () => {
    const session = chunkedSession(["answer", "lose", "keep"]);
    const registry = await server(session.answer);

    expect(await client(registry.url, { chunkBytes: 3_000 }).pushBlob("a", source(bytes))).toBe("uploaded");
    expect(session.received()).toEqual(bytes);
    expect(session.ranges).toEqual(["0-2999", "3000-5999", "3000-5999", "6000-8999", "9000-9999"]);
  });

  test("whose last answer was lost is noticed as there", async () => {
    let stored = false;
    const registry = await server(({ method }, _body, response) => {
      if (method === "HEAD") return { status: stored ? 200 : 404 };
      if (method === "POST") return { status: 202, headers: { location: "/v2/a/blobs/uploads/u" } };
      stored = true;
      response.destroy();
      return undefined;
    });

    expect(await client(registry.url).pushBlob("a", source(bytes))).toBe("present");
    expect(registry.seen.filter(({ method }) => method === "PUT").length).toBe(1);
  });

  test("with the wrong digest is refused once", async () => {
    const registry = await server(({ method }) => {
      if (method === "HEAD") return { status: 404 };
      if (method === "POST") return { status: 202, headers: { location: "/v2/a/blobs/uploads/u" } };
      return { status: 400, body: JSON.stringify({ errors: [{ code: "DIGEST_INVALID" }] }) };
    });
    const lying = { ...source(bytes), digest: digestOf("other") as Digest };

    await expect(client(registry.url).pushBlob("a", lying)).rejects.toMatchObject({ code: "DIGEST_INVALID" });
    expect(registry.seen.filter(({ method }) => method === "PUT").length).toBe(1);
  });
});

/** An upload whose chunks are answered as told: lost before they were stored, or stored and the answer lost. */
function chunkedSession(fates: ("answer" | "lose" | "keep")[]) {
  let received = Buffer.alloc(0);
  const ranges: (string | undefined)[] = [];
  const headers = () => ({ location: "/v2/a/blobs/uploads/u?state=1", range: `0-${Math.max(0, received.length - 1)}` });
  const statuses: Record<string, number> = { HEAD: 404, POST: 202, GET: 204, PUT: 201 };
  return {
    ranges,
    received: () => received,
    answer: (request: Seen, body: Buffer, response: ServerResponse): Reply | undefined => {
      const status = statuses[request.method];
      if (status !== undefined) return { status, headers: headers() };
      const fate = fates.shift() ?? "answer";
      ranges.push(request.headers["content-range"]);
      if (fate !== "lose") received = Buffer.concat([received, body]);
      if (fate === "answer") return { status: 202, headers: headers() };
      response.destroy();
      return undefined;
    },
  };
}
