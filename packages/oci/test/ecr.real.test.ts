import { randomBytes } from "node:crypto";
import { CreateRepositoryCommand, ECRClient } from "@aws-sdk/client-ecr";
import {
  type EcrServer,
  freePort,
  ociContract,
  type RealRegistry,
  realPart,
  startEcr,
  startForeignRegistry,
} from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type AuthSource, digestOf, ecrAuth, RegistryClient } from "../src/index.ts";

const part = realPart("registry");
let behind: RealRegistry;
let ecr: EcrServer;
const opened: RegistryClient[] = [];

beforeAll(async () => {
  if (part === undefined) return;
  behind = await startForeignRegistry(part);
  ecr = await startEcr(behind);
});
afterAll(async () => {
  await ecr?.stop();
  await behind?.stop();
});
beforeEach(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", ecr?.key.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", ecr?.key.secretAccessKey);
  // Nobody but this test says who we are.
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  ecr?.allow(true);
  for (const one of opened.splice(0)) await one.close();
});

const place = () => ({ region: ecr.region, endpoint: ecr.url });
const signal = () => AbortSignal.timeout(20_000);

function client(auth: AuthSource = ecrAuth(place())): RegistryClient {
  const made = new RegistryClient({ url: ecr.url, auth, deadlineMs: 20_000 });
  opened.push(made);
  return made;
}

/** Made as people make it: by AWS's own client. */
async function repository({ fixedTags = false } = {}): Promise<string> {
  const name = `team/app-${randomBytes(6).toString("hex")}`;
  const aws = new ECRClient(place());
  await aws.send(
    new CreateRepositoryCommand({ repositoryName: name, imageTagMutability: fixedTags ? "IMMUTABLE" : "MUTABLE" }),
  );
  aws.destroy();
  return name;
}

function blob(bytes = randomBytes(1_000)) {
  return {
    ...{ digest: digestOf(bytes), size: bytes.byteLength },
    async *open(from: number) {
      yield bytes.subarray(from);
    },
  };
}

describe.skipIf(part === undefined)("ECR", () => {
  let auth: AuthSource;
  beforeEach(() => {
    auth ??= ecrAuth(place());
  });
  ociContract(() => ({
    ...{ url: ecr.url, auth, mounts: false, fixesTags: true, listsReferrers: true },
    repository,
  }));
});

describe.skipIf(part === undefined)("a password of ECR", () => {
  test("is asked for once, however many want it at the same time, and again once little of its 12 hours is left", async () => {
    let now = 0;
    const auth = ecrAuth(place(), () => now);
    const before = ecr.passwords().length;

    const [first, second] = await Promise.all([auth.current(signal()), auth.current(signal())]);
    now = 8.9 * 3_600_000;
    const later = await auth.current(signal());
    now = 9.1 * 3_600_000;
    const renewed = await auth.current(signal());

    expect([second, later]).toEqual([first, first]);
    expect(renewed).not.toEqual(first);
    expect(first.username).toBe("AWS");
    expect(ecr.passwords().length - before).toBe(2);
  });

  test("that ends in the middle of the work is renewed, whatever is asked for next", async () => {
    const [oci, name, one] = [client(), await repository(), blob()];
    await oci.pushBlob(name, one);
    const before = ecr.passwords().length;
    const next: readonly (() => Promise<unknown>)[] = [
      () => oci.headBlob(name, one.digest),
      () => oci.getBlob(name, one.digest),
      () => oci.getManifest(name, "v1"),
      () => oci.pushBlob(name, blob(randomBytes(20 * 1024 * 1024))),
    ];

    for (const ask of next) {
      ecr.endPasswords();
      await ask();
    }

    expect(ecr.passwords().length - before).toBe(next.length);
  });

  test("is not asked for again and again where a right is missing", async () => {
    const name = await repository();
    const stubborn: AuthSource = { current: async () => ({ username: "AWS", password: ended }), refused: vi.fn() };
    const ended = (await ecrAuth(place()).current(signal())).password;
    ecr.endPasswords();

    await expect(client(stubborn).getManifest(name, "v1")).rejects.toMatchObject({
      ...{ kind: "forbidden", status: 403 },
    });

    expect(stubborn.refused).toHaveBeenCalledTimes(1);
  });

  test("that cannot be had is a sentence that says what to do, and holds no secret", async () => {
    const { secretAccessKey } = ecr.key;
    const refusal = async (where = place()) => {
      const error = await ecrAuth(where)
        .current(signal())
        .catch((thrown: unknown) => thrown);
      const text = `${String(error)} ${JSON.stringify(error)} ${String((error as Error).cause)}`;
      expect(text).not.toContain(secretAccessKey);
      return error;
    };

    ecr.allow(false);
    expect(await refusal()).toMatchObject({ kind: "forbidden", message: /allow ecr:GetAuthorizationToken/ });
    ecr.allow(true);
    expect(await refusal({ ...place(), region: "eu-west-2" })).toMatchObject({ kind: "unauthorised" });
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", `${secretAccessKey}x`);
    expect(await refusal()).toMatchObject({ kind: "unauthorised", message: /refuses this service's AWS credentials/ });
    vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIANOBODY");
    expect(await refusal()).toMatchObject({ kind: "unauthorised", message: /refuses this service's AWS credentials/ });
    const silent = { region: "eu-west-1", endpoint: `http://127.0.0.1:${await freePort()}` };
    expect(await refusal(silent)).toMatchObject({ kind: "unavailable", message: /gave no password \(.*ECONNREFUSED/ });
    vi.stubEnv("AWS_ACCESS_KEY_ID", "");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "");
    expect(await refusal()).toMatchObject({ kind: "unauthorised", message: /no AWS credentials for ECR: .* role/ });
  });
});

describe.skipIf(part === undefined)("ECR is not like other registries", () => {
  test("a repository that nobody has made takes nothing, and says which one", async () => {
    await expect(client().pushBlob("team/nobody-made-it", blob())).rejects.toMatchObject({
      ...{ kind: "not_found", code: "NAME_UNKNOWN" },
      message: expect.stringContaining("'team/nobody-made-it' does not exist"),
    });
  });

  test("too many requests are waited for", async () => {
    const [oci, name] = [client(), await repository()];
    await oci.headBlob(name, digestOf("x"));

    ecr.throttle(2);

    expect(await oci.pushBlob(name, blob())).toBe("uploaded");
  });

  test("its parts have at least 5 MiB, which ours have", async () => {
    const [name, bytes] = [await repository(), randomBytes(20 * 1024 * 1024)];
    const small = new RegistryClient({ url: ecr.url, auth: ecrAuth(place()), chunkBytes: 1024 * 1024 });
    opened.push(small);

    await expect(small.pushBlob(name, blob(bytes))).rejects.toMatchObject({
      ...{ kind: "refused", message: expect.stringContaining("at least 5 MiB") },
    });
    expect(await client().pushBlob(name, blob(bytes))).toBe("uploaded");
  });
});
