import { digestOf, RegistryClient } from "@slipway/oci";
import { type FaultProxy, realPart, startFaultProxy, startS3, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { someBytes, startRegistry, type TestRegistry } from "./start-registry.ts";

const part = realPart("versitygw");
const mib = 1_048_576;
const name = "artifact-registry";
const repository = "orders";

/** The registry on a real S3 server behind a proxy. What it says here is said to whoever pushes and pulls: a build, a node. */
describe.skipIf(part === undefined)("over a bad network between the registry and S3", () => {
  let s3: Awaited<ReturnType<typeof startS3>>;
  let network: FaultProxy;
  let registry: TestRegistry;

  beforeAll(async () => {
    s3 = await startS3(part!);
    await s3.makeBucket("slipway");
    vi.stubEnv("AWS_ACCESS_KEY_ID", s3.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", s3.secretAccessKey);
    network = await startFaultProxy(s3.port);
    const endpoint = `http://127.0.0.1:${network.port}`;
    registry = await startRegistry({ SLIPWAY_OBJECTS_URL: `s3://slipway?endpoint=${endpoint}` });
  });
  afterEach(() => {
    network.swallow(false);
    network.delay(0);
    network.cut();
  });
  afterAll(async () => {
    await registry?.close();
    await network?.stop();
    await s3?.stop();
    vi.unstubAllEnvs();
  });

  const blobOf = (bytes: Uint8Array, onRead: (from: number) => void = () => {}) => ({
    digest: digestOf(bytes),
    size: bytes.byteLength,
    async *open(from = 0) {
      for (let at = from; at < bytes.byteLength; at += mib) {
        onRead(at);
        yield bytes.subarray(at, at + mib);
      }
    },
  });
  const read = async (chunks: AsyncIterable<Uint8Array>, onFirst: () => void = () => {}): Promise<Buffer> => {
    const got: Uint8Array[] = [];
    for await (const chunk of chunks) if (got.push(Uint8Array.from(chunk)) === 1) onFirst();
    return Buffer.concat(got);
  };

  test("a blob of which bytes are swallowed on their way to S3 is there all the same, and whole", async () => {
    const bytes = someBytes(12 * mib + 1);
    const oci = registry.oci(name, { chunkBytes: 5 * mib });
    await oci.pushBlob(repository, blobOf(someBytes()));
    let over = false;
    const pushing = oci.pushBlob(
      repository,
      blobOf(bytes, (at) => network.swallow(at >= 6 * mib && !over)),
    );
    await until(() => network.swallowed() > 0, { what: "bytes to be swallowed" });
    over = true;
    network.strand();
    network.swallow(false);
    const pushed = await pushing;

    expect(pushed).toMatch(/uploaded|present/);
    expect(await read(await oci.getBlob(repository, digestOf(bytes)))).toEqual(bytes);
  });

  test("a blob that stops on its way from S3 is never handed out as if half of it were all, and whoever pulls it goes on where it was", async () => {
    const bytes = someBytes(40 * mib);
    const digest = digestOf(bytes);
    const oci = registry.oci(name);
    await oci.pushBlob(repository, blobOf(bytes));

    const plain = await registry.v2("GET", `${repository}/blobs/${digest}`);
    expect(plain.headers.get("content-length")).toBe(String(bytes.byteLength));
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const half = read(plain.body as unknown as AsyncIterable<Uint8Array>, first.resolve);
    const whole = read(await oci.getBlob(repository, digest), second.resolve);
    half.catch(() => undefined);
    await Promise.all([first.promise, second.promise]);
    network.strand();

    await expect(half).rejects.toThrow();
    expect((await whole).equals(bytes)).toBe(true);
    expect(network.swallowed()).toBeGreaterThan(0);
  });

  test("where nothing comes back from S3 a push is refused with the reason, readiness says it, and nothing of the blob is there", async () => {
    const bytes = someBytes();
    const auth = { username: name, password: registry.host.tokens.get(name) ?? "" };
    const oci = new RegistryClient({ url: registry.host.url, auth, blobDeadlineMs: 55_000 });
    network.swallow(true);
    network.strand();

    await expect(oci.pushBlob(repository, blobOf(bytes))).rejects.toThrow(
      /503: UNAVAILABLE storing an object: .*does not answer in time/,
    );

    const ready = await fetch(`${registry.host.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("does not answer in time")]);
    expect(await oci.headBlob(repository, digestOf(bytes))).toBeUndefined();

    network.swallow(false);
    network.cut();
    expect(await oci.pushBlob(repository, blobOf(bytes))).toBe("uploaded");
    await until(async () => (await fetch(`${registry.host.url}/readyz`)).ok, { what: "the registry to be ready" });
    await oci.close();
  });
});
