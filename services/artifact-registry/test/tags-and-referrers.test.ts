import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  codeOf,
  indexType,
  manifestType,
  pushedImage,
  putManifest,
  startRegistry,
  type TestRegistry,
} from "./start-registry.ts";

// Names in brackets are the endpoints of the OCI distribution specification 1.1, section "Endpoints".
let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry?.close());

describe("tags (end-8)", () => {
  const commit = "a".repeat(40);

  test("that are commits never move: the same manifest again is fine, another one is refused with both digests", async () => {
    const first = await pushedImage(registry, "immutable/app");
    const second = await pushedImage(registry, "immutable/app");
    await putManifest(registry, "immutable/app", commit, first.text);

    const again = await putManifest(registry, "immutable/app", commit, first.text);
    const other = await putManifest(registry, "immutable/app", commit, second.text);

    expect(again.status).toBe(201);
    expect(other.status).toBe(409);
    const body = (await other.json()) as { errors: { code: string; detail: object }[] };
    expect(body.errors[0]?.code).toBe("DENIED");
    expect(body.errors[0]?.detail).toEqual({ tag: commit, stands_for: first.digest, refused: second.digest });
    const head = await registry.v2("HEAD", `immutable/app/manifests/${commit}`);
    expect(head.headers.get("docker-content-digest")).toBe(first.digest);
    expect((await registry.v2("GET", `immutable/app/manifests/${second.digest}`)).status).toBe(404);
  });

  test("of one commit put at once by several with different images: exactly one wins", async () => {
    const images = await Promise.all(Array.from({ length: 6 }, () => pushedImage(registry, "racing/app")));

    const answers = await Promise.all(images.map((image) => putManifest(registry, "racing/app", commit, image.text)));

    const statuses = answers.map((answer) => answer.status).sort();
    expect(statuses).toEqual([201, 409, 409, 409, 409, 409]);
  });

  test("may be named by a manifest that is put by its digest, all or none", async () => {
    const [first, second] = [await pushedImage(registry, "tagged/app"), await pushedImage(registry, "tagged/app")];

    const put = await putManifest(registry, "tagged/app", `${first.digest}?tag=v1&tag=${commit}`, first.text);
    const refused = await putManifest(registry, "tagged/app", `${second.digest}?tag=v2&tag=${commit}`, second.text);
    const invalid = await putManifest(registry, "tagged/app", `${first.digest}?tag=a/b`, first.text);

    expect(put.headers.get("oci-tag")).toBe(`${commit}, v1`);
    expect((await registry.v2("HEAD", "tagged/app/manifests/v1")).status).toBe(200);
    expect(refused.status).toBe(409);
    expect((await registry.v2("HEAD", "tagged/app/manifests/v2")).status).toBe(404);
    expect(await codeOf(invalid)).toBe("TAG_INVALID");
  });

  test("of other names may move", async () => {
    const first = await pushedImage(registry, "moving/app");
    const second = await pushedImage(registry, "moving/app");
    await putManifest(registry, "moving/app", "latest", first.text);

    expect((await putManifest(registry, "moving/app", "latest", second.text)).status).toBe(201);
    const head = await registry.v2("HEAD", "moving/app/manifests/latest");
    expect(head.headers.get("docker-content-digest")).toBe(second.digest);
  });

  test("are listed in byte order, in pages with a link to the next", async () => {
    const image = await pushedImage(registry, "listed/app");
    for (const tag of ["b", "B", "a", "_x", "1.0"]) await putManifest(registry, "listed/app", tag, image.text);

    const all = (await (await registry.v2("GET", "listed/app/tags/list")).json()) as { name: string; tags: string[] };
    const page = await registry.v2("GET", "listed/app/tags/list?n=2");
    const link = /^<(.+)>; rel="next"$/.exec(page.headers.get("link") ?? "")?.[1] ?? "";
    const next = await registry.v2("GET", link.replace("/v2/", ""));
    const none = (await (await registry.v2("GET", "listed/app/tags/list?n=0")).json()) as { tags: string[] };

    expect(all).toEqual({ name: "listed/app", tags: ["1.0", "B", "_x", "a", "b"] });
    expect(((await page.json()) as { tags: string[] }).tags).toEqual(["1.0", "B"]);
    expect(((await next.json()) as { tags: string[] }).tags).toEqual(["_x", "a"]);
    expect(none.tags).toEqual([]);
  });

  test("of an unknown repository are NAME_UNKNOWN, a bad page size is refused", async () => {
    const unknown = await registry.v2("GET", "nobody/app/tags/list");
    const bad = await registry.v2("GET", "listed/app/tags/list?n=many");

    expect(unknown.status).toBe(404);
    expect(await codeOf(unknown)).toBe("NAME_UNKNOWN");
    expect(bad.status).toBe(400);
  });
});

describe("referrers (end-12)", () => {
  test("are what has the digest as its subject, by artifact type, and none is an empty index", async () => {
    const image = await pushedImage(registry, "signed/app");
    await putManifest(registry, "signed/app", "v1", image.text);
    const subject = { mediaType: manifestType, digest: image.digest, size: image.text.length };
    const signature = await pushedImage(registry, "signed/app", {
      artifactType: "application/x-signature",
      subject,
      annotations: { by: "us" },
    });

    const put = await putManifest(registry, "signed/app", signature.digest, signature.text);
    const all = await registry.v2("GET", `signed/app/referrers/${image.digest}`);
    const filtered = await registry.v2("GET", `signed/app/referrers/${image.digest}?artifactType=application/x-sbom`);

    expect(put.headers.get("oci-subject")).toBe(image.digest);
    expect(all.headers.get("content-type")).toBe(indexType);
    expect(((await all.json()) as { manifests: object[] }).manifests).toEqual([
      {
        mediaType: manifestType,
        digest: signature.digest,
        size: signature.text.length,
        artifactType: "application/x-signature",
        annotations: { by: "us" },
      },
    ]);
    expect(filtered.headers.get("oci-filters-applied")).toBe("artifactType");
    expect(((await filtered.json()) as { manifests: object[] }).manifests).toEqual([]);
  });
});

describe("what is refused", () => {
  test("deleting, by policy, with what is allowed instead (end-9, end-10)", async () => {
    const image = await pushedImage(registry, "kept/app");
    await putManifest(registry, "kept/app", "v1", image.text);

    for (const path of [
      `kept/app/manifests/${image.digest}`,
      "kept/app/manifests/v1",
      `kept/app/blobs/${image.layer}`,
    ]) {
      const response = await registry.v2("DELETE", path);
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toContain("GET");
      expect(await codeOf(response)).toBe("UNSUPPORTED");
    }
    expect((await registry.v2("HEAD", "kept/app/manifests/v1")).status).toBe(200);
  });

  test.each(["Upper/case/tags/list", "a//b/tags/list", "a/../b/tags/list", "-a/tags/list", "%00/tags/list"])(
    "the name %s",
    async (path) => {
      const response = await registry.v2("GET", path);

      expect([400, 404]).toContain(response.status);
    },
  );

  test("endpoints that are not there", async () => {
    const response = await registry.v2("GET", "_catalog");

    expect(response.status).toBe(404);
  });
});
