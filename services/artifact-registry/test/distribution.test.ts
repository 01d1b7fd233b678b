import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  codeOf,
  indexType,
  manifestType,
  pushBlob,
  pushedImage,
  putManifest,
  sha256,
  someBytes,
  startRegistry,
  type TestRegistry,
} from "./start-registry.ts";

// Names in brackets are the endpoints of the OCI distribution specification 1.1, section "Endpoints".
let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry?.close());

const octets = { "content-type": "application/octet-stream" };

async function openUpload(repository: string): Promise<string> {
  const response = await registry.v2("POST", `${repository}/blobs/uploads/`);
  expect(response.status).toBe(202);
  return pathOf(response);
}

/** The location of an answer as a path under /v2/. */
function pathOf(response: Response): string {
  const location = response.headers.get("location");
  if (location === null) throw new Error("no location");
  return new URL(location, registry.host.url).pathname.replace(/^\/v2\//, "");
}

describe("the base (end-1)", () => {
  test("answers 200 to a token and asks for Basic without one", async () => {
    const allowed = await registry.v2("GET", "");
    const refused = await registry.v2("GET", "", { as: null });
    const wrong = await registry.v2("GET", "", { as: "slp_nonsense" });

    expect(allowed.status).toBe(200);
    expect(allowed.headers.get("docker-distribution-api-version")).toBe("registry/2.0");
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toMatch(/^Basic realm=/);
    expect(await codeOf(refused)).toBe("UNAUTHORIZED");
    expect(wrong.status).toBe(401);
  });

  test("lets everybody with a token pull and only services push", async () => {
    const digest = await pushBlob(registry, "roles/app", someBytes());

    expect((await registry.v2("HEAD", `roles/app/blobs/${digest}`, { as: "viewer" })).status).toBe(200);
    const refused = await registry.v2("POST", "roles/app/blobs/uploads/", { as: "deployer" });
    expect(refused.status).toBe(403);
    expect(await codeOf(refused)).toBe("DENIED");
  });
});

describe("blobs (end-2)", () => {
  test("are read whole, by HEAD and in parts", async () => {
    const bytes = someBytes(5_000);
    const digest = await pushBlob(registry, "read/blob", bytes);

    const head = await registry.v2("HEAD", `read/blob/blobs/${digest}`);
    const whole = await registry.v2("GET", `read/blob/blobs/${digest}`);
    const part = await registry.v2("GET", `read/blob/blobs/${digest}`, { headers: { range: "bytes=10-19" } });
    const tail = await registry.v2("GET", `read/blob/blobs/${digest}`, { headers: { range: "bytes=-7" } });
    const past = await registry.v2("GET", `read/blob/blobs/${digest}`, { headers: { range: "bytes=5000-" } });

    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe("5000");
    expect(head.headers.get("docker-content-digest")).toBe(digest);
    expect(sha256(new Uint8Array(await whole.arrayBuffer()))).toBe(digest);
    expect(part.status).toBe(206);
    expect(part.headers.get("content-range")).toBe("bytes 10-19/5000");
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(10, 20));
    expect(Buffer.from(await tail.arrayBuffer())).toEqual(bytes.subarray(4_993));
    expect(past.status).toBe(416);
    expect(past.headers.get("content-range")).toBe("bytes */5000");
  });

  test("that are unknown are BLOB_UNKNOWN, also where another repository has them", async () => {
    const digest = await pushBlob(registry, "has/it", someBytes());

    const unknown = await registry.v2("GET", `has/it/blobs/${sha256("nobody")}`);
    const elsewhere = await registry.v2("GET", `has/not/blobs/${digest}`);

    expect(unknown.status).toBe(404);
    expect(await codeOf(unknown)).toBe("BLOB_UNKNOWN");
    expect(elsewhere.status).toBe(404);
    expect((await registry.v2("HEAD", `has/not/blobs/${digest}`)).status).toBe(404);
  });

  test.each(["sha256:short", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:../../../etc/passwd"])(
    "by the digest %s are DIGEST_INVALID",
    async (digest) => {
      const response = await registry.v2("GET", `has/it/blobs/${encodeURIComponent(digest)}`);

      expect([400, 404]).toContain(response.status);
      expect(["DIGEST_INVALID", "UNSUPPORTED", "NAME_INVALID"]).toContain(await codeOf(response));
    },
  );

  test("of no bytes are blobs", async () => {
    const digest = await pushBlob(registry, "empty/blob", new Uint8Array());

    const response = await registry.v2("GET", `empty/blob/blobs/${digest}`);

    expect(response.status).toBe(200);
    expect((await response.arrayBuffer()).byteLength).toBe(0);
  });
});

describe("uploads (end-4 to end-6, end-11, end-13)", () => {
  test("in two steps: POST, then PUT with all bytes", async () => {
    const bytes = someBytes();
    const upload = await openUpload("two/steps");

    const done = await registry.v2("PUT", `${upload}?digest=${sha256(bytes)}`, { body: bytes, headers: octets });

    expect(done.status).toBe(201);
    expect(pathOf(done)).toBe(`two/steps/blobs/${sha256(bytes)}`);
    expect((await registry.v2("HEAD", pathOf(done))).status).toBe(200);
    expect((await registry.v2("GET", upload)).status).toBe(404);
  });

  test("in chunks that say where they begin, and can be asked how far they are", async () => {
    const bytes = someBytes(3_000);
    const upload = await openUpload("in/chunks");

    const first = await registry.v2("PATCH", upload, {
      body: bytes.subarray(0, 1_000),
      headers: { ...octets, "content-range": "0-999" },
    });
    const status = await registry.v2("GET", upload);
    const second = await registry.v2("PATCH", upload, {
      body: bytes.subarray(1_000, 2_000),
      headers: { ...octets, "content-range": "1000-1999" },
    });
    const done = await registry.v2("PUT", `${upload}?digest=${sha256(bytes)}`, {
      body: bytes.subarray(2_000),
      headers: { ...octets, "content-range": "2000-2999" },
    });

    expect(first.status).toBe(202);
    expect(first.headers.get("range")).toBe("0-999");
    expect(status.status).toBe(204);
    expect(status.headers.get("range")).toBe("0-999");
    expect(second.headers.get("range")).toBe("0-1999");
    expect(done.status).toBe(201);
    const back = await registry.v2("GET", `in/chunks/blobs/${sha256(bytes)}`);
    expect(Buffer.from(await back.arrayBuffer())).toEqual(bytes);
  });

  test("refuse a chunk out of order with 416 and go on where they were", async () => {
    const bytes = someBytes(200);
    const upload = await openUpload("out/of-order");
    await registry.v2("PATCH", upload, {
      body: bytes.subarray(0, 100),
      headers: { ...octets, "content-range": "0-99" },
    });

    const skipped = await registry.v2("PATCH", upload, {
      body: bytes.subarray(150),
      headers: { ...octets, "content-range": "150-199" },
    });
    const repeated = await registry.v2("PATCH", upload, {
      body: bytes.subarray(0, 100),
      headers: { ...octets, "content-range": "0-99" },
    });
    const next = await registry.v2("PATCH", upload, {
      body: bytes.subarray(100),
      headers: { ...octets, "content-range": "100-199" },
    });
    const done = await registry.v2("PUT", `${upload}?digest=${sha256(bytes)}`);

    expect(skipped.status).toBe(416);
    expect(skipped.headers.get("range")).toBe("0-99");
    expect(await codeOf(skipped)).toBe("BLOB_UPLOAD_INVALID");
    expect(repeated.status).toBe(416);
    expect(next.status).toBe(202);
    expect(done.status).toBe(201);
  });

  test("as one stream without a length, as docker sends it", async () => {
    const bytes = someBytes(100_000);
    const upload = await openUpload("one/stream");
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 7_000) controller.enqueue(bytes.subarray(at, at + 7_000));
        controller.close();
      },
    });

    const patched = await registry.v2("PATCH", upload, { body: stream });
    const done = await registry.v2("PUT", `${upload}?digest=${sha256(bytes)}`);

    expect(patched.headers.get("range")).toBe("0-99999");
    expect(done.status).toBe(201);
  });

  test("whose bytes have another digest are DIGEST_INVALID and leave nothing", async () => {
    const promised = sha256("something else");
    const upload = await openUpload("wrong/digest");

    const whole = await registry.v2("PUT", `${upload}?digest=${promised}`, { body: someBytes(), headers: octets });
    const single = await registry.v2("POST", `wrong/digest/blobs/uploads/?digest=${promised}`, { body: someBytes() });
    const without = await registry.v2("PUT", await openUpload("wrong/digest"), { body: someBytes(), headers: octets });

    for (const response of [whole, single, without]) {
      expect(response.status).toBe(400);
      expect(await codeOf(response)).toBe("DIGEST_INVALID");
    }
    expect((await registry.v2("HEAD", `wrong/digest/blobs/${promised}`)).status).toBe(404);
    expect((await registry.v2("GET", upload)).status).toBe(404);
  });

  test("that nobody opened are BLOB_UPLOAD_UNKNOWN, and one of another repository is nobody's", async () => {
    const upload = await openUpload("mine/app");
    const id = upload.split("/").at(-1);

    const unknown = await registry.v2("PATCH", `mine/app/blobs/uploads/${randomUUID()}`, { body: someBytes() });
    const foreign = await registry.v2("GET", `other/app/blobs/uploads/${id}`);

    expect(unknown.status).toBe(404);
    expect(await codeOf(unknown)).toBe("BLOB_UPLOAD_UNKNOWN");
    expect(foreign.status).toBe(404);
  });

  test("can be given up", async () => {
    const upload = await openUpload("given/up");

    expect((await registry.v2("DELETE", upload)).status).toBe(204);
    expect((await registry.v2("GET", upload)).status).toBe(404);
  });

  test("mount a blob of another repository without a byte, and open an upload where it is not there", async () => {
    const digest = await pushBlob(registry, "mount/from", someBytes());

    const mounted = await registry.v2("POST", `mount/to/blobs/uploads/?mount=${digest}&from=mount/from`);
    const refused = await registry.v2("POST", `mount/to/blobs/uploads/?mount=${sha256("no")}&from=mount/from`);

    expect(mounted.status).toBe(201);
    expect((await registry.v2("HEAD", `mount/to/blobs/${digest}`)).status).toBe(200);
    expect(refused.status).toBe(202);
  });

  test("mount a blob without saying from where, when any repository has it", async () => {
    const digest = await pushBlob(registry, "mount/somewhere", someBytes());

    expect((await registry.v2("POST", `mount/blindly/blobs/uploads/?mount=${digest}`)).status).toBe(201);
    expect((await registry.v2("HEAD", `mount/blindly/blobs/${digest}`)).status).toBe(200);
    expect((await registry.v2("POST", `mount/blindly/blobs/uploads/?mount=${sha256("no")}`)).status).toBe(202);
  });

  test("of one blob by eight clients at once all succeed and leave one blob", async () => {
    const bytes = someBytes(300_000);
    const digest = sha256(bytes);

    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        registry.v2("POST", `many/r${index % 2}/blobs/uploads/?digest=${digest}`, { body: bytes, headers: octets }),
      ),
    );

    expect(answers.map((answer) => answer.status)).toEqual(Array(8).fill(201));
    const back = await registry.v2("GET", `many/r1/blobs/${digest}`);
    expect(sha256(new Uint8Array(await back.arrayBuffer()))).toBe(digest);
  });

  test("larger than allowed are refused with 413 and leave nothing", async () => {
    const small = await startRegistry({ SLIPWAY_REGISTRY_MAX_BLOB_BYTES: "1000" });
    try {
      const bytes = someBytes(200_000);

      const response = await small.v2("POST", `too/large/blobs/uploads/?digest=${sha256(bytes)}`, { body: bytes });

      expect(response.status).toBe(413);
      expect(await codeOf(response)).toBe("SIZE_INVALID");
      expect((await small.v2("HEAD", `too/large/blobs/${sha256(bytes)}`)).status).toBe(404);
    } finally {
      await small.close();
    }
  });

  test("by sha512 are taken and read", async () => {
    const bytes = someBytes();
    const { createHash } = await import("node:crypto");
    const digest = `sha512:${createHash("sha512").update(bytes).digest("hex")}`;

    const done = await registry.v2("POST", `by/sha512/blobs/uploads/?digest=${digest}`, { body: bytes });

    expect(done.status).toBe(201);
    expect((await registry.v2("HEAD", `by/sha512/blobs/${digest}`)).headers.get("content-length")).toBe("1000");
  });
});

describe("manifests (end-3, end-7)", () => {
  test("come back byte for byte, by tag and by digest, with their type", async () => {
    const image = await pushedImage(registry, "round/trip");

    const put = await putManifest(registry, "round/trip", "v1", image.text);
    const byTag = await registry.v2("GET", "round/trip/manifests/v1", { headers: { accept: manifestType } });
    const byDigest = await registry.v2("GET", `round/trip/manifests/${image.digest}`);
    const head = await registry.v2("HEAD", "round/trip/manifests/v1");

    expect(put.status).toBe(201);
    expect(put.headers.get("docker-content-digest")).toBe(image.digest);
    expect(pathOf(put)).toBe(`round/trip/manifests/${image.digest}`);
    expect(await byTag.text()).toBe(image.text);
    expect(byTag.headers.get("content-type")).toBe(manifestType);
    expect(await byDigest.text()).toBe(image.text);
    expect(head.headers.get("content-length")).toBe(String(image.text.length));
    expect(head.headers.get("docker-content-digest")).toBe(image.digest);
  });

  test("that are unknown or not of an accepted type are MANIFEST_UNKNOWN", async () => {
    const image = await pushedImage(registry, "not/accepted");
    await putManifest(registry, "not/accepted", "v1", image.text);

    const missing = await registry.v2("GET", "not/accepted/manifests/v2");
    const unaccepted = await registry.v2("GET", "not/accepted/manifests/v1", { headers: { accept: indexType } });

    expect(missing.status).toBe(404);
    expect(await codeOf(missing)).toBe("MANIFEST_UNKNOWN");
    expect(unaccepted.status).toBe(404);
  });

  test("that need a blob the repository lacks are MANIFEST_BLOB_UNKNOWN and not kept", async () => {
    const image = await pushedImage(registry, "complete/app");

    const elsewhere = await putManifest(registry, "incomplete/app", "v1", image.text);

    expect(elsewhere.status).toBe(400);
    expect(await codeOf(elsewhere)).toBe("MANIFEST_BLOB_UNKNOWN");
    expect((await registry.v2("GET", "incomplete/app/manifests/v1")).status).toBe(404);
    expect((await registry.v2("GET", `incomplete/app/manifests/${image.digest}`)).status).toBe(404);
  });

  test("under another digest than theirs are DIGEST_INVALID", async () => {
    const image = await pushedImage(registry, "other/digest");

    const response = await putManifest(registry, "other/digest", sha256("other"), image.text);

    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("DIGEST_INVALID");
  });

  test.each([
    ["no JSON", "{", manifestType],
    ["another version", JSON.stringify({ schemaVersion: 1 }), manifestType],
    [
      "another type than they say",
      JSON.stringify({ schemaVersion: 2, mediaType: manifestType, manifests: [] }),
      indexType,
    ],
    ["an unknown type", "{}", "application/json"],
    [
      "a path for a digest",
      JSON.stringify({ schemaVersion: 2, layers: [], config: { mediaType: "a", digest: "../x", size: 1 } }),
      manifestType,
    ],
  ])("with %s are MANIFEST_INVALID", async (_, text, type) => {
    const response = await putManifest(registry, "invalid/app", "v1", text, type);

    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("MANIFEST_INVALID");
  });

  test("that lie about a blob's size are MANIFEST_INVALID", async () => {
    const image = await pushedImage(registry, "lying/app");

    const response = await putManifest(registry, "lying/app", "v1", image.text.replace('"size":1000', '"size":999'));

    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("MANIFEST_INVALID");
  });

  test("larger than 4 MiB are refused with 413", async () => {
    const response = await putManifest(registry, "huge/app", "v1", `{"x":"${"y".repeat(5 * 1024 * 1024)}"}`);

    expect(response.status).toBe(413);
  });

  test("an index needs its manifests", async () => {
    const image = await pushedImage(registry, "multi/arch");
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: indexType,
      manifests: [{ mediaType: manifestType, digest: image.digest, size: image.text.length }],
    });

    const early = await putManifest(registry, "multi/arch", "v1", index, indexType);
    await putManifest(registry, "multi/arch", image.digest, image.text);
    const late = await putManifest(registry, "multi/arch", "v1", index, indexType);

    expect(await codeOf(early)).toBe("MANIFEST_BLOB_UNKNOWN");
    expect(late.status).toBe(201);
  });
});
