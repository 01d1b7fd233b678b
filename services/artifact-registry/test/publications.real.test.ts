import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getArtifact, publishArtifact, registerArtifact } from "@slipway/contracts";
import { foreignRegistryChecks, RegistryClient } from "@slipway/oci";
import type { Logger } from "@slipway/sql";
import {
  databaseText,
  type EcrServer,
  type RealRegistry,
  realPart,
  startEcr,
  startForeignRegistry,
  until,
} from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { provenance, registered, specOf } from "./artifact-examples.ts";
import { killedInTheMiddle } from "./killed-publication.ts";
import { isPublished, reaches, startFront } from "./published.ts";
import { processPlace } from "./start-process.ts";
import { pushedImage, putManifest, startRegistry, type TestRegistry } from "./start-registry.ts";

vi.setConfig({ testTimeout: 120_000 });

const part = realPart("registry");
const lines: string[] = [];
const write = (fields: object, message: string) => void lines.push(message, JSON.stringify(fields));
const log: Logger = { debug: write, info: write, warn: write, error: write };

let folder: string;
let behind: RealRegistry;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  if (part === undefined) return;
  folder = await mkdtemp(join(tmpdir(), "slipway-published-"));
  behind = await startForeignRegistry(part);
});
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});
afterAll(async () => {
  await behind?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

/** What the operator says of a host on this machine, and that images are published there. */
async function publishingTo(host: string, entry: object): Promise<Record<string, string>> {
  const file = join(folder, `${host.replace(":", "-")}.json`);
  await writeFile(file, JSON.stringify({ hosts: { [host]: { http: true, private: true, ...entry } } }));
  return {
    ...{ SLIPWAY_PUBLISH_TO: `${host}/slipway`, SLIPWAY_PUBLISH_DEADLINE: "5m" },
    ...{ SLIPWAY_EXTERNAL_REGISTRIES: file, SLIPWAY_EXTERNAL_LOOPBACK: "true" },
  };
}

async function start(env: Record<string, string>): Promise<TestRegistry> {
  const ours = await startRegistry(env, { log, watch: true });
  open.push(ours);
  return ours;
}

function clientOf(url = behind.url): RegistryClient {
  const client = new RegistryClient({ url, auth: behind.auth });
  open.push(client);
  return client;
}

const doctor = (env: Record<string, string>) =>
  foreignRegistryChecks({ file: env.SLIPWAY_EXTERNAL_REGISTRIES, publishTo: env.SLIPWAY_PUBLISH_TO, loopback: true });
const askAgain = (ours: TestRegistry, digest: string) =>
  ours.as("deployer").call(publishArtifact, { params: { digest }, body: {} });

describe.skipIf(part === undefined)("published to a distribution registry", () => {
  const passwordFile = () => join(folder, "password");
  const entry = () => ({ username: behind.auth.username, password_file: passwordFile() });
  const host = () => `127.0.0.1:${behind.port}`;
  beforeEach(async () => writeFile(passwordFile(), behind.auth.password));

  test("an image is there byte for byte, under its digest and its commit", async () => {
    const env = await publishingTo(host(), entry());
    const ours = await start(env);

    const { digest, commit } = await registered(ours, "orders");
    const { image } = await reaches(ours, digest, isPublished);

    expect(image).toBe(`${host()}/slipway/orders@${digest}`);
    const here = await ours.oci("viewer").getManifest("orders", digest);
    for (const reference of [digest, commit])
      expect(await clientOf().getManifest("slipway/orders", reference)).toEqual(here);
    expect(await doctor(env)).toEqual({ named: [], published: [] });
  });

  test("a wrong password is said, by the doctor and in /readyz too, and all goes on once it is right", async () => {
    await writeFile(passwordFile(), "another");
    const env = await publishingTo(host(), entry());
    const ours = await start(env);
    const { digest } = await registered(ours, "mended");
    const sentence = `${host()} refuses user and password (401): correct those of ${host()} in SLIPWAY_EXTERNAL_REGISTRIES`;

    const waits = await reaches(ours, digest, ({ waiting }) => waiting?.for.includes("refuses") === true);
    const found = await doctor(env);
    const warned = () => warnings(ours).then((all) => all.includes(`images are not published: ${sentence}`));
    await until(warned, { what: "/readyz to warn", timeoutMs: 60_000 });
    await writeFile(passwordFile(), behind.auth.password);
    await reaches(ours, digest, isPublished);
    await until(async () => (await warnings(ours)).length === 0, { what: "all to be well again", timeoutMs: 60_000 });

    expect(waits.waiting?.for).toBe(sentence);
    expect(found.published).toEqual([sentence]);
    expect(found.named).toHaveLength(1);
  });

  test("a registry that is away is waited for; what was published is told meanwhile as it was", async () => {
    const ours = await start(await publishingTo(host(), entry()));
    const before = await registered(ours, "away");
    await reaches(ours, before.digest, isPublished);

    await behind.kill();
    const { digest } = await registered(ours, "away");
    const waits = await reaches(ours, digest, ({ waiting }) => waiting?.for.includes("does not take it now") === true);
    const { image } = await ours.as("viewer").call(getArtifact, { params: { digest: before.digest } });
    await behind.start();
    await reaches(ours, digest, isPublished);

    expect(waits.waiting?.for).toMatch(/ECONNREFUSED|other side closed|socket/);
    expect(image).toBe(`${host()}/slipway/away@${before.digest}`);
  });

  test("a tag that somebody moved to another image is not written over", async () => {
    const ours = await start(await publishingTo(host(), entry()));
    const [first, second] = [await registered(ours, "moved"), await registered(ours, "moved")];
    for (const { digest } of [first, second]) await reaches(ours, digest, isPublished);
    const other = await clientOf().getManifest("slipway/moved", second.digest);
    if (other === undefined) throw new Error("it was published");
    await clientOf().putManifest("slipway/moved", first.commit, other);

    await askAgain(ours, first.digest);
    const failed = await reaches(ours, first.digest, ({ status }) => status === "FAILED");

    expect(failed.reason).toContain(`slipway/moved:${first.commit} is another image there, ${other.digest}`);
    expect(await clientOf().resolve("slipway/moved", first.commit)).toBe(other.digest);
  });

  test("an image that somebody removed there is sent again once it is asked for", async () => {
    const ours = await start(await publishingTo(host(), entry()));
    const { digest } = await registered(ours, "removed");
    const before = await reaches(ours, digest, isPublished);
    const basic = Buffer.from(`${behind.auth.username}:${behind.auth.password}`).toString("base64");
    const url = `${behind.url}/v2/slipway/removed/manifests/${digest}`;
    const gone = await fetch(url, { method: "DELETE", headers: { authorization: `Basic ${basic}` } });

    await askAgain(ours, digest);
    const after = await reaches(ours, digest, ({ seen_at }) => seen_at !== null && seen_at !== before.seen_at);

    expect(gone.status).toBe(202);
    expect(after.published_at).toBe(before.published_at);
    expect((await clientOf().getManifest("slipway/removed", digest))?.digest).toBe(digest);
  });

  test("killed in the middle it goes on by itself and sends nothing twice", async () => {
    const front = await startFront(behind.url);
    const place = await processPlace();
    open.push(front, place);

    const { image, commit, sentEach } = await killedInTheMiddle(place, front, await publishingTo(front.host, entry()));

    expect(sentEach).toEqual(image.blobs.map(() => 1));
    expect(await clientOf().resolve("slipway/orders", commit)).toBe(image.digest);
  });
});

describe.skipIf(part === undefined)("published to ECR", () => {
  let ecr: EcrServer;
  const host = () => `127.0.0.1:${ecr.port}`;
  const entry = (more: object = {}) => ({ ecr: { region: ecr.region, endpoint: ecr.url, ...more } });
  beforeEach(async () => {
    ecr = await startEcr(behind);
    vi.stubEnv("AWS_ACCESS_KEY_ID", ecr.key.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", ecr.key.secretAccessKey);
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await ecr.stop();
  });

  test("an image gets a repository whose tags never move, and the same image again is no error", async () => {
    const env = await publishingTo(host(), entry());
    const ours = await start(env);
    expect(await doctor(env)).toEqual({ named: [], published: [] });

    const { digest, commit } = await registered(ours, "ecr-made");
    await reaches(ours, digest, isPublished);
    ecr.endPasswords();
    await askAgain(ours, digest);
    await reaches(ours, digest, isPublished);

    expect(ecr.isImmutable("slipway/ecr-made")).toBe(true);
    expect(ecr.isImmutable("slipway/slipway-doctor")).toBeUndefined();
    expect(await clientOf().resolve("slipway/ecr-made", commit)).toBe(digest);
  });

  test("a right that is missing is named, and all goes on once it is given", async () => {
    ecr.allowRepositories(false);
    const ours = await start(await publishingTo(host(), entry()));
    const { digest } = await registered(ours, "ecr-right");

    const waits = await reaches(ours, digest, ({ waiting }) => waiting?.for.includes("allow") === true);
    ecr.allowRepositories(true);
    await reaches(ours, digest, isPublished);

    expect(waits.waiting?.for).toMatch(
      /^this service's AWS account may not ask ECR .* for the repository slipway\/ecr-right: allow ecr:CreateRepository$/,
    );
  });

  test("a repository that Slipway is not to make is waited for, by its name", async () => {
    const env = await publishingTo(host(), entry({ create_repositories: false }));
    const ours = await start(env);
    const { digest } = await registered(ours, "ecr-by-hand");

    const waits = await reaches(ours, digest, ({ waiting }) => waiting?.for.includes("repository") === true);
    const { published } = await doctor(env);
    ecr.makeRepository("slipway/ecr-by-hand");
    await reaches(ours, digest, isPublished);

    expect(waits.waiting?.for).toMatch(/ has no repository slipway\/ecr-by-hand: make it there/);
    expect(published).toEqual([expect.stringContaining("has no repository")]);
  });

  test("a tag that is another image there already is refused for good", async () => {
    const ours = await start(await publishingTo(host(), entry()));
    const first = await registered(ours, "ecr-taken");
    await reaches(ours, first.digest, isPublished);
    // Another platform that was given the same place.
    const theirs = await start(await publishingTo(host(), entry()));
    const image = await pushedImage(theirs, "ecr-taken");
    await putManifest(theirs, "ecr-taken", first.commit, image.text);
    await register(theirs, first.commit, image.digest);

    const failed = await reaches(theirs, image.digest, ({ status }) => status === "FAILED");

    expect(failed.reason).toContain(`slipway/ecr-taken:${first.commit} is another image there, ${first.digest}`);
  });

  test("no password and no key is left in a table or a log", async () => {
    const ours = await start(await publishingTo(host(), entry()));
    await reaches(ours, (await registered(ours, "ecr-quiet")).digest, isPublished);
    const text = `${await databaseText(ours.database.adminUrl)}\n${lines.join("\n")}`;

    const secrets = [ecr.key.secretAccessKey, ...ecr.passwords(), behind.auth.password];
    expect(ecr.passwords().length).toBeGreaterThan(0);
    expect(text).toContain("slipway/ecr-quiet");
    for (const secret of secrets) {
      expect(text.includes(secret)).toBe(false);
      expect(text.includes(Buffer.from(`AWS:${secret}`).toString("base64"))).toBe(false);
    }
  });
});

/** What `/readyz` warns of. */
async function warnings(registry: TestRegistry): Promise<readonly string[]> {
  const answer = await fetch(`${registry.host.url}/readyz`, { signal: AbortSignal.timeout(20_000) });
  const { services } = (await answer.json()) as { services: { warnings?: string[] }[] };
  return services.flatMap(({ warnings: all = [] }) => all);
}

async function register(registry: TestRegistry, commit: string, digest: string): Promise<void> {
  const body = { service: "ecr-taken", git_sha: commit, digest, spec: specOf("ecr-taken"), provenance };
  await registry.as("artifact-registry").call(registerArtifact, { body });
}
