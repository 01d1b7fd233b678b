import { randomBytes } from "node:crypto";
import { type FaultProxy, realPart, startFaultProxy, startS3, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Objects, ObjectsUnavailable, s3Objects } from "../src/index.ts";

const part = realPart("versitygw");
const mib = 1_048_576;
const answerWithinMs = 500;

/** A real S3 server behind a proxy. Answers are given a tenth of their usual time. */
describe.skipIf(part === undefined)("over a bad network to S3", () => {
  let s3: Awaited<ReturnType<typeof startS3>>;
  let network: FaultProxy;
  let objects: Objects;
  /** Past the faults. */
  let sound: Objects;
  let stores = 0;

  beforeAll(async () => {
    s3 = await startS3(part!);
    await s3.makeBucket("slipway");
  });
  afterAll(() => s3?.stop());
  beforeEach(async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", s3.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", s3.secretAccessKey);
    stores += 1;
    network = await startFaultProxy(s3.port);
    const at = (port: number) => `s3://slipway/network-${stores}?endpoint=http://127.0.0.1:${port}`;
    objects = s3Objects({ url: at(network.port), answerWithinMs });
    sound = s3Objects({ url: at(s3.port) });
    await objects.put("before", Buffer.from("kept"));
  });
  afterEach(async () => {
    await network?.stop();
    vi.unstubAllEnvs();
  });

  test("what comes late is stored and read whole", async () => {
    const bytes = randomBytes(9 * mib);
    network.delay(50);

    await objects.put("late", bytes);

    expect(await read(objects, "late")).toEqual(bytes);
  });

  test("what was kept alive and has gone dead costs one attempt, however many connections there were", async () => {
    await Promise.all(Array.from({ length: 6 }, () => objects.stat("before")));
    network.strand();
    const began = performance.now();

    expect(await objects.stat("before")).toMatchObject({ size: 4 });

    expect(performance.now() - began).toBeLessThan(2 * answerWithinMs + 500);
    expect(await read(objects, "before")).toEqual(Buffer.from("kept"));
  });

  test.each([
    ["a small object", 1_000],
    ["one of three parts", 20 * mib],
  ])("where nothing comes back %s is refused in time, with the reason, and nothing of it is seen", async (_, size) => {
    network.swallow(true);
    network.strand();
    const began = performance.now();

    const error = await objects.put("half", randomBytes(size)).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(ObjectsUnavailable);
    expect(String(error)).toContain("does not answer in time");
    expect(performance.now() - began).toBeLessThan(12 * answerWithinMs);
    expect(await objects.problem()).toMatch(/does not answer in time/);
    expect((await sound.list("")).map(({ key }) => key)).toEqual(["before"]);
    network.swallow(false);
    expect(await objects.problem()).toBeUndefined();
  });

  test("an upload of which bytes were swallowed on their way is sent again, and is whole", async () => {
    const bytes = randomBytes(20 * mib);
    let sent = 0;
    async function* body(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.byteLength; at += mib) {
        // Those that are under way with the first part.
        if (at === 9 * mib) network.strand();
        sent += 1;
        yield bytes.subarray(at, at + mib);
      }
    }

    expect(await objects.put("again", body())).toEqual({ size: bytes.byteLength });

    expect(sent).toBe(20);
    expect(await read(sound, "again")).toEqual(bytes);
  });

  test("a read that stops in the middle ends with the reason, and another one goes on where it was", async () => {
    const bytes = randomBytes(20 * mib);
    await objects.put("stops", bytes);
    const got: Uint8Array[] = [];
    const reading = (async () => {
      for await (const chunk of (await objects.get("stops")) ?? []) {
        if (got.length === 0) network.strand();
        got.push(Uint8Array.from(chunk));
      }
    })();

    await expect(reading).rejects.toThrow(/reading an object: .*does not answer in time/);

    const from = Buffer.concat(got).byteLength;
    expect(network.swallowed()).toBeGreaterThan(0);
    expect(from).toBeLessThan(bytes.byteLength);
    expect(Buffer.concat([...got, await read(objects, "stops", from)])).toEqual(bytes);
  });

  test("where connections are cut all the time everything gets there", async () => {
    const cutting = setInterval(() => network.cut(), 400);
    try {
      const bytes = randomBytes(5 * mib);
      await until(
        () =>
          objects.put("cut", bytes).then(
            () => true,
            () => false,
          ),
        { what: "the object to be stored" },
      );
      expect(await read(sound, "cut")).toEqual(bytes);
    } finally {
      clearInterval(cutting);
    }
  });

  async function read(from: Objects, key: string, at = 0): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await from.get(key, { from: at })) ?? []) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
});
