import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, foreignRegistries, RegistriesFile, RegistryClient } from "@slipway/oci";
import type { Logger } from "@slipway/sql";
import {
  databaseText,
  type EcrServer,
  type RealRegistry,
  realPart,
  startEcr,
  startForeignRegistry,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { artifactOf, ask, dockerImage, dockerManifestType, ended, revision } from "./foreign-images.ts";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

const part = realPart("registry");
const lines: string[] = [];
const write = (fields: object, message: string) => void lines.push(message, JSON.stringify(fields));
const log: Logger = { debug: write, info: write, warn: write, error: write };

let behind: RealRegistry;
let ecr: EcrServer;
let folder: string;
let ours: TestRegistry;

beforeAll(async () => {
  if (part === undefined) return;
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
  behind = await startForeignRegistry(part);
  ecr = await startEcr(behind);
  folder = await mkdtemp(join(tmpdir(), "slipway-ecr-"));
  ours = await startRegistry(await environment(), { log });
  ecr.makeRepository("team/shop");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await ours?.close();
  await ecr?.stop();
  await behind?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

/** As an operator names it, but that it is on this machine. */
async function environment(): Promise<Record<string, string>> {
  const file = join(folder, "registries.json");
  const host = { http: true, private: true, ecr: { region: ecr.region, endpoint: ecr.url } };
  await writeFile(file, JSON.stringify({ hosts: { [`127.0.0.1:${ecr.port}`]: host } }));
  return { SLIPWAY_EXTERNAL_REGISTRIES: file, SLIPWAY_EXTERNAL_LOOPBACK: "true", SLIPWAY_EXTERNAL_DEADLINE: "20s" };
}

function beSomebody(): void {
  vi.stubEnv("AWS_ACCESS_KEY_ID", ecr.key.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", ecr.key.secretAccessKey);
}

function beNobody(): void {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "");
}

/** An image that lies in ECR, by the name under which it is asked for. */
async function imageThere(): Promise<string> {
  const image = dockerImage();
  const into = new RegistryClient({ url: behind.url, auth: behind.auth });
  for (const { bytes } of image.blobs) {
    const open = async function* (from: number) {
      yield bytes.subarray(from);
    };
    await into.pushBlob("team/shop", { digest: digestOf(bytes), size: bytes.length, open });
  }
  await into.putManifest("team/shop", image.digest, { mediaType: dockerManifestType, bytes: Buffer.from(image.text) });
  await into.close();
  return `127.0.0.1:${ecr.port}/team/shop@${image.digest}`;
}

describe.skipIf(part === undefined)("an image of ECR", () => {
  test("waits for nobody's password: the service is told by AWS who it is, or says what is missing", async () => {
    const image = await imageThere();

    beNobody();
    const none = await ended(ours, await ask(ours, { image, git_sha: revision }));
    beSomebody();
    ecr.allow(false);
    const denied = await ended(ours, await ask(ours, { image, git_sha: revision }));
    ecr.allow(true);
    const end = await ended(ours, await ask(ours, { image, git_sha: revision }));

    expect(none.reason).toMatch(/^This service has no AWS credentials for ECR: give it a role, or set AWS_.*_KEY\.$/);
    expect(denied.reason).toMatch(/^This service's AWS account may not ask .* allow ecr:GetAuthorizationToken\.$/);
    expect(end).toMatchObject({ status: "REGISTERED", digest: image.split("@")[1] });
    expect((await artifactOf(ours, end)).provenance).toMatchObject({ builder: "external", source: image });
  });

  test("is copied after the password of the copies before has ended", async () => {
    beSomebody();
    const before = ecr.passwords().length;
    ecr.endPasswords();

    const end = await ended(ours, await ask(ours, { image: await imageThere(), git_sha: "b".repeat(40) }));

    expect(end.status).toBe("REGISTERED");
    expect(ecr.passwords().length - before).toBe(1);
  });

  test("is one that the service says it cannot have, before anybody asks", async () => {
    const file = RegistriesFile.parse(JSON.parse(await readFile(join(folder, "registries.json"), "utf8")));
    const problems = () => foreignRegistries(file, true).problems();

    beNobody();
    expect(await problems()).toEqual([
      expect.stringMatching(/^there is no password for the registry .*no AWS credentials for ECR: give it/),
    ]);
    beSomebody();
    expect(await problems()).toEqual([]);
  });

  test("leaves no password and no key in a table or a log", async () => {
    const secrets = [ecr.key.secretAccessKey, ...ecr.passwords()];
    const text = `${await databaseText(ours.database.adminUrl)}\n${lines.join("\n")}`;

    expect(ecr.passwords().length).toBeGreaterThan(1);
    expect(text).toContain("team/shop");
    for (const secret of secrets) {
      expect(text.includes(secret)).toBe(false);
      expect(text.includes(Buffer.from(`AWS:${secret}`).toString("base64"))).toBe(false);
    }
  });
});

test.each([
  ["whose name has no region", { ecr: {} }, /does not name its AWS region: say ecr.region/],
  ["with a password, too", { ecr: { region: "eu-west-1" }, username: "x", password_file: "/x" }, /leave username/],
])("an ECR host %s is refused when the service starts", (_what, host, sentence) => {
  const read = RegistriesFile.safeParse({ hosts: { "registry.corp.example": host } });

  expect(JSON.stringify(read.error?.issues)).toMatch(sentence);
});
