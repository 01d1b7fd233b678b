import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import { freePort, objectsContract, realPart, startS3 } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Objects, ObjectsUnavailable, s3Objects } from "../src/index.ts";

const part = realPart("versitygw");
let s3: Awaited<ReturnType<typeof startS3>>;
let page: Server;
let stores = 0;

beforeAll(async () => {
  if (part === undefined) return;
  s3 = await startS3(part);
  await s3.makeBucket("slipway");
  page = createServer((_, answer) => void answer.writeHead(404, { "content-type": "text/html" }).end("<h1>no</h1>"));
  await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  await s3?.stop();
  await new Promise((resolve) => (page === undefined ? resolve(undefined) : page.close(resolve)));
});
beforeEach(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", s3?.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", s3?.secretAccessKey);
  // Nobody but this test says who we are.
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const urlOf = (bucket: string, endpoint = s3.endpoint) => `s3://${bucket}?endpoint=${endpoint}`;

describe.skipIf(part === undefined)("objects on a real S3 server", () => {
  objectsContract(async () => {
    stores += 1;
    const url = urlOf(`slipway/store-${stores}`);
    return { objects: s3Objects({ url }), again: async () => s3Objects({ url }) };
  });
});

describe.skipIf(part === undefined)("a store that cannot be used says what to do", () => {
  const attempts: readonly (readonly [string, (objects: Objects) => Promise<unknown>])[] = [
    ["put", (objects) => objects.put("a", Buffer.from("x"))],
    ["get", (objects) => objects.get("a")],
    ["stat", (objects) => objects.stat("a")],
    ["list", (objects) => objects.list("")],
  ];

  async function expectRefused(objects: Objects, sentence: RegExp): Promise<void> {
    expect(await objects.problem()).toMatch(sentence);
    for (const [name, attempt] of attempts) {
      const error = await attempt(objects).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error, name).toBeInstanceOf(ObjectsUnavailable);
      expect(String(error), name).toMatch(sentence);
      expect(JSON.stringify([error, String((error as Error).cause)]), name).not.toContain(s3.secretAccessKey);
    }
  }

  test("where the bucket is missing", async () => {
    await expectRefused(s3Objects({ url: urlOf("no-such-bucket") }), /no bucket no-such-bucket at http.*make it/);
  });

  test("where the key is not known, or not its secret", async () => {
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "another-secret");
    await expectRefused(s3Objects({ url: urlOf("slipway") }), /refuses the credentials|may not use the bucket/);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "nobody");
    await expectRefused(s3Objects({ url: urlOf("slipway") }), /refuses the credentials|may not use the bucket/);
  });

  test("where there are no credentials, and goes on with those of a file", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "");
    const file = join(s3.dir, "credentials");
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", file);
    vi.stubEnv("AWS_CONFIG_FILE", join(s3.dir, "none"));
    await expectRefused(s3Objects({ url: urlOf("slipway") }), /no credentials for S3/);

    const { accessKeyId, secretAccessKey } = s3;
    // The client reads a file once.
    const there = `${file}-there`;
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", there);
    await writeFile(there, `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`);
    expect(await s3Objects({ url: urlOf("slipway") }).problem()).toBeUndefined();
  });

  test("where nothing listens, where the host is unknown, and where something else answers", async () => {
    const silent = `http://127.0.0.1:${await freePort()}`;
    const other = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;

    await expectRefused(s3Objects({ url: urlOf("slipway", silent) }), /nothing listens at .*endpoint=/);
    await expectRefused(s3Objects({ url: urlOf("slipway", other) }), /does not speak S3.*404.*endpoint=/);
    const unknown = s3Objects({ url: urlOf("slipway", "http://no-such-host.invalid:9000") });
    expect(await unknown.problem()).toMatch(/host of http:\/\/no-such-host.invalid:9000 is not known/);
  });
});

/** Begun and neither ended nor given up, as the server says. */
async function unfinished(): Promise<number> {
  const { accessKeyId, secretAccessKey, endpoint } = s3;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: "slipway" }));
  client.destroy();
  return Uploads.length;
}

describe.skipIf(part === undefined)("a store that was killed", () => {
  test("has everything that was promised, and is used again without anybody's doing", async () => {
    const objects = s3Objects({ url: urlOf("slipway/killed") });
    await objects.put("before", Buffer.from("kept"));

    await s3.kill();
    await expect(objects.put("while", Buffer.from("x"))).rejects.toBeInstanceOf(ObjectsUnavailable);
    await s3.start();

    await objects.put("after", Buffer.from("x"));
    expect((await objects.list("")).map(({ key }) => key)).toEqual(["after", "before"]);
  });

  test("and an upload that its writer never ended is given up by the next one", async () => {
    const bucket = "slipway/left";
    const writer = s3Objects({ url: urlOf(bucket) });
    const [stored, stuck] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    // Asked for the last chunks once two parts are stored.
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 20; n += 1) yield Buffer.alloc(1_048_576);
      stored.resolve();
      await stuck.promise;
    }
    const reached = writer.put("half", endless());
    reached.catch(() => undefined);
    const next = s3Objects({ url: urlOf(bucket), abandonedAfterMs: -60_000 });
    await stored.promise;
    expect(await unfinished()).toBe(1);

    await next.put("whole", Buffer.from("x"));

    expect(await unfinished()).toBe(0);
    stuck.resolve();
    await expect(reached).rejects.toBeInstanceOf(ObjectsUnavailable);
  });
});
