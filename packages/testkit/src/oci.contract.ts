import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Instant } from "@slipway/kernel";
import {
  type BlobSource,
  type Credentials,
  digestOf,
  mediaTypes,
  OciError,
  pullAndUnpack,
  RegistryClient,
  type RegistryClientOptions,
  writeImage,
} from "@slipway/oci";
import { afterEach, describe, expect, test } from "vitest";
import { startFaultProxy } from "./fault-proxy.ts";

/** A registry, and what of the specification it leaves to registries. */
export type OciWorld = {
  readonly url: string;
  /** Who may read and write. */
  readonly auth: Credentials;
  /** A repository of its own to push to. `fixedTags`: one whose tags never move, where the registry has a choice. */
  repository(options?: { readonly fixedTags?: boolean }): Promise<string>;
  /** Whether a blob of another repository is had without sending it. */
  readonly mounts: boolean;
  /** Whether a tag of such a repository stays at what it stood for first. */
  readonly fixesTags: boolean;
  /** Whether it lists referrers itself; else whoever pushes them keeps a tag. */
  readonly listsReferrers: boolean;
  /** A tag that never moves here, where not every one is such a tag. */
  readonly fixedTag?: string;
};

const mib = 1024 * 1024;

/** What this platform's own client and the copies of foreign images need of a registry, whoever made it. */
export function ociContract(world: () => OciWorld): void {
  const opened: { close(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });
  const client = (more: Partial<RegistryClientOptions> = {}): RegistryClient => {
    const made = new RegistryClient({ url: world().url, auth: world().auth, deadlineMs: 20_000, ...more });
    opened.push(made);
    return made;
  };
  /** A client over a network that a test can cut, and how. */
  const shaky = async (more: Partial<RegistryClientOptions> = {}) => {
    const network = await startFaultProxy(Number(new URL(world().url).port));
    opened.push({ close: () => network.stop() });
    const over = client({ url: `http://127.0.0.1:${network.port}`, ...more });
    return { over, cut: () => network.cut(), strand: () => network.strand(), deaf: () => network.deaf() };
  };

  describe("blobs", () => blobs(world, client, shaky));
  describe("manifests and tags", () => manifests(world, client));
  describe("credentials", () => credentials(world, client));
}

type Clients = (more?: Partial<RegistryClientOptions>) => RegistryClient;
type Shaky = (
  more?: Partial<RegistryClientOptions>,
) => Promise<{ over: RegistryClient; cut(): number; strand(): void; deaf(): number }>;

function blobs(world: () => OciWorld, client: Clients, shaky: Shaky): void {
  test("what was pushed is there, with its size, and is read back whole", async () => {
    const [repository, bytes] = [await world().repository(), randomBytes(100_000)];
    const oci = client();

    expect(await oci.pushBlob(repository, blobOf(bytes))).toBe("uploaded");
    expect(await oci.pushBlob(repository, blobOf(bytes))).toBe("present");

    expect(await oci.headBlob(repository, digestOf(bytes))).toEqual({ size: 100_000 });
    expect(await readAll(await oci.getBlob(repository, digestOf(bytes)))).toEqual(bytes);
  });

  test("what is not there is undefined, or not found where its bytes are asked for", async () => {
    const repository = await world().repository();
    const absent = digestOf(randomBytes(10));

    expect(await client().headBlob(repository, absent)).toBeUndefined();
    await expect(client().getBlob(repository, absent)).rejects.toMatchObject({ kind: "not_found" });
  });

  test("a large blob arrives in parts as it was", async () => {
    const [repository, bytes] = [await world().repository(), randomBytes(12 * mib + 1)];

    expect(await client({ chunkBytes: 5 * mib }).pushBlob(repository, blobOf(bytes))).toBe("uploaded");

    expect((await readAll(await client().getBlob(repository, digestOf(bytes)))).equals(bytes)).toBe(true);
  });

  test.each([
    ["first", 1],
    ["second", 6],
    ["last", 11],
  ])("an upload whose connection breaks in the %s part is brought to its end", async (_part, at) => {
    const [repository, bytes] = [await world().repository(), randomBytes(12 * mib + 1)];
    const { over, cut } = await shaky({ chunkBytes: 5 * mib });
    let cuts = 0;
    let parts = 0;
    const whole = blobOf(bytes, (sent) => {
      if (sent >= at * mib && cuts === 0) cuts += cut();
    });
    const breaking: BlobSource = {
      ...whole,
      open(from) {
        parts += 1;
        return whole.open(from);
      },
    };

    expect(await over.pushBlob(repository, breaking)).toMatch(/uploaded|present/);

    expect(cuts).toBeGreaterThan(0);
    // Begun anew at worst: never the same part again and again.
    expect(parts).toBeLessThanOrEqual(8);
    expect((await readAll(await client().getBlob(repository, digestOf(bytes)))).equals(bytes)).toBe(true);
  });

  test("connections that were kept alive and have gone dead cost one attempt, and none of the next calls", async () => {
    const [repository, bytes] = [await world().repository(), randomBytes(1_000)];
    const { over, strand, deaf } = await shaky({ deadlineMs: 8_000 });
    await over.pushBlob(repository, blobOf(bytes));
    // Of nothing that is there: asked by GET, after which a connection is kept.
    const ask = () => over.getManifest(repository, digestOf(Buffer.from("of nothing")));
    await Promise.all([ask(), ask(), ask(), ask()]);
    strand();

    expect(await ask()).toBeUndefined();
    await Promise.all([ask(), ask(), ask(), ask()]);

    expect(deaf()).toBe(1);
  });

  test("a blob whose connection breaks while it is read goes on where it was", async () => {
    const [repository, bytes] = [await world().repository(), randomBytes(12 * mib)];
    await client().pushBlob(repository, blobOf(bytes));
    const { over, cut } = await shaky();
    const parts: Uint8Array[] = [];

    for await (const part of await over.getBlob(repository, digestOf(bytes))) {
      if (parts.push(part) === 1) cut();
    }

    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  });

  test("bytes that are not those of the digest are refused", async () => {
    const repository = await world().repository();
    const lying = { ...blobOf(randomBytes(100)), digest: digestOf("another") };

    await expect(client().pushBlob(repository, lying)).rejects.toMatchObject({ kind: "refused", status: 400 });
    expect(await client().headBlob(repository, lying.digest)).toBeUndefined();
  });

  test("a blob of another repository is mounted where the registry does that, and sent where it does not", async () => {
    const [from, to, bytes] = [await world().repository(), await world().repository(), randomBytes(1_000)];
    await client().pushBlob(from, blobOf(bytes));

    const pushed = await client().pushBlob(to, blobOf(bytes), { mountFrom: from });

    expect(pushed).toBe(world().mounts ? "mounted" : "uploaded");
    expect(await readAll(await client().getBlob(to, digestOf(bytes)))).toEqual(bytes);
  });
}

function manifests(world: () => OciWorld, client: Clients): void {
  test("a manifest is the same bytes under its tag and its digest, and the tag stands for the digest", async () => {
    const repository = await world().repository();
    const oci = client();
    const manifest = await pushedManifest(oci, repository);

    const digest = await oci.putManifest(repository, "v1", manifest);

    const found = { digest: digestOf(manifest.bytes), mediaType: mediaTypes.manifest };
    expect(digest).toBe(found.digest);
    expect(await oci.resolve(repository, "v1")).toBe(digest);
    for (const reference of ["v1", digest]) {
      const stored = await oci.getManifest(repository, reference);
      expect(stored).toMatchObject(found);
      expect(Buffer.from(stored?.bytes ?? []).equals(manifest.bytes)).toBe(true);
    }
  });

  test("an unknown tag, digest and repository are undefined", async () => {
    const repository = await world().repository();
    const oci = client();
    await oci.putManifest(repository, "v1", await pushedManifest(oci, repository));
    const absent = digestOf(randomBytes(10));

    expect(await oci.resolve(repository, "v2")).toBeUndefined();
    expect(await oci.getManifest(repository, absent)).toBeUndefined();
    expect(await oci.getManifest(`nobody-made-${absent.slice(7, 15)}`, absent)).toBeUndefined();
  });

  test("a manifest whose layers were never pushed is refused", async () => {
    const repository = await world().repository();
    const manifest = manifestOf(randomBytes(10), randomBytes(10));

    await expect(client().putManifest(repository, "v1", manifest)).rejects.toBeInstanceOf(OciError);
    expect(await client().resolve(repository, "v1")).toBeUndefined();
  });

  test("an index of platforms is kept as it is, and leads to its manifests", async () => {
    const repository = await world().repository();
    const oci = client();
    const manifest = await pushedManifest(oci, repository);
    const digest = await oci.putManifest(repository, digestOf(manifest.bytes), manifest);
    const platform = { os: "linux", architecture: "s390x" };
    const entry = { mediaType: manifest.mediaType, digest, size: manifest.bytes.byteLength, platform };
    const index = json(mediaTypes.index, { manifests: [entry] });

    await oci.putManifest(repository, "multi", index);

    const stored = await oci.getManifest(repository, "multi");
    expect([stored?.mediaType, Buffer.from(stored?.bytes ?? []).toString()]).toEqual([
      mediaTypes.index,
      index.bytes.toString(),
    ]);
    expect((await oci.getManifest(repository, digest))?.digest).toBe(digest);
  });

  test("the same manifest again under its tag is no error; another one moves the tag or is refused, as the registry has it", async () => {
    const { fixesTags, fixedTag = "v1" } = world();
    const repository = await world().repository({ fixedTags: true });
    const oci = client();
    const [first, second] = [await pushedManifest(oci, repository), await pushedManifest(oci, repository)];
    await oci.putManifest(repository, fixedTag, first);

    expect(await oci.putManifest(repository, fixedTag, first)).toBe(digestOf(first.bytes));
    const another = oci.putManifest(repository, fixedTag, second);

    if (fixesTags) await expect(another).rejects.toMatchObject({ kind: "refused" });
    else await another;
    expect(await oci.resolve(repository, fixedTag)).toBe(digestOf((fixesTags ? first : second).bytes));
  });

  test("tags are listed, all of them, in pages of whatever size", async () => {
    const repository = await world().repository();
    const oci = client();
    const manifest = await pushedManifest(oci, repository);
    const tags = ["a", "b", "c", "d-4", "e.5"];
    for (const tag of tags) await oci.putManifest(repository, tag, manifest);

    expect(await oci.listTags(repository)).toEqual(tags);
    expect(await oci.listTags(repository, { pageSize: 2 })).toEqual(tags);
  });

  test("what points at a manifest is found by its digest, and by kind", async () => {
    const repository = await world().repository();
    const oci = client();
    const manifest = await pushedManifest(oci, repository);
    const subject = {
      ...{ mediaType: manifest.mediaType, size: manifest.bytes.byteLength },
      digest: await oci.putManifest(repository, "v1", manifest),
    };
    expect(await oci.referrers(repository, subject.digest)).toEqual([]);
    const artifactType = "application/vnd.example.statement";
    const statement = await pushedManifest(oci, repository, { artifactType, subject });
    const digest = await oci.putManifest(repository, digestOf(statement.bytes), statement);
    if (!world().listsReferrers) {
      const entry = { mediaType: statement.mediaType, digest, size: statement.bytes.byteLength, artifactType };
      const index = json(mediaTypes.index, { manifests: [entry] });
      await oci.putManifest(repository, subject.digest.replace(":", "-"), index);
    }

    expect((await oci.referrers(repository, subject.digest)).map((each) => each.digest)).toEqual([digest]);
    expect(await oci.referrers(repository, subject.digest, { artifactType })).toMatchObject([{ digest, artifactType }]);
    expect(await oci.referrers(repository, subject.digest, { artifactType: "application/x" })).toEqual([]);
  });

  test("an image that is written there is pulled by its digest and unpacked", async () => {
    const repository = await world().repository();
    const folder = await mkdtemp(join(tmpdir(), "slipway-oci-contract-"));
    const oci = client();
    try {
      await mkdir(join(folder, "files"));
      await writeFile(join(folder, "files", "app"), "the app");
      const { digest } = await writeImage({
        ...{ client: oci, repository, tag: "app", base: [] },
        ...{ entrypoint: ["/srv/app"], command: ["--serve"] },
        files: { dir: join(folder, "files"), copy: ["app"], at: "/srv" },
        createdAt: "2026-01-01T00:00:00.000Z" as Instant,
        cacheDir: join(folder, "cache"),
      });

      const image = await pullAndUnpack({ client: oci, repository, digest, into: join(folder, "images") });

      expect(await readFile(join(image.root, "srv", "app"), "utf8")).toBe("the app");
      expect(image.command).toEqual(["/srv/app", "--serve"]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

function credentials(world: () => OciWorld, client: Clients): void {
  test.each([
    ["none", undefined],
    ["wrong ones", { username: "AWS", password: "wrong" }],
  ])("%s are refused as such", async (_which, auth) => {
    const repository = await world().repository();
    const oci = new RegistryClient({ url: world().url, ...(auth === undefined ? {} : { auth }) });

    const refused = await oci.getManifest(repository, "v1").catch((error: unknown) => error);
    await oci.close();

    expect(refused).toMatchObject({ kind: "unauthorised" });
    expect(String(refused)).not.toContain("wrong");
  });

  test("are found out by several first requests at the same time", async () => {
    const repository = await world().repository();
    const oci = client();
    const absent = digestOf(randomBytes(10));

    expect(await Promise.all([1, 2, 3].map(() => oci.headBlob(repository, absent)))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
}

function blobOf(bytes: Buffer, sending: (sent: number) => void = () => undefined): BlobSource {
  return {
    digest: digestOf(bytes),
    size: bytes.byteLength,
    async *open(from) {
      for (let at = from; at < bytes.byteLength; at += 64 * 1024) {
        sending(at);
        yield bytes.subarray(at, at + 64 * 1024);
      }
    },
  };
}

/** A manifest that no other test has, whose blobs are there. */
async function pushedManifest(oci: RegistryClient, repository: string, more: object = {}) {
  const [config, layer] = [Buffer.from(JSON.stringify({ made: randomBytes(8).toString("hex") })), randomBytes(500)];
  for (const bytes of [config, layer]) await oci.pushBlob(repository, blobOf(bytes));
  return manifestOf(config, layer, more);
}

function manifestOf(config: Buffer, layer: Buffer, more: object = {}) {
  const descriptor = (mediaType: string, bytes: Buffer) => ({
    ...{ mediaType, digest: digestOf(bytes), size: bytes.byteLength },
  });
  const layers = [descriptor(mediaTypes.layer, layer)];
  return json(mediaTypes.manifest, { config: descriptor(mediaTypes.config, config), layers, ...more });
}

function json(mediaType: string, value: object) {
  return { mediaType, bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...value })) };
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
