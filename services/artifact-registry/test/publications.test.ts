import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getArtifact, listArtifacts, publishArtifact, registerArtifact } from "@slipway/contracts";
import type { Logger } from "@slipway/sql";
import { databaseText, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { promote, provenance, registered, specOf } from "./artifact-examples.ts";
import { ask, dockerImage, ended, push, revision } from "./foreign-images.ts";
import { type Front, isPublished, publicationOf, reaches, startFront } from "./published.ts";
import { manifestType, pushedImage, putManifest, sha256, startRegistry, type TestRegistry } from "./start-registry.ts";

let folder: string;
let there: TestRegistry;
let front: Front;
let ours: TestRegistry;
let password: string;
const passwordFile = () => join(folder, "password");
const lines: string[] = [];
const write = (fields: object, message: string) => void lines.push(message, JSON.stringify(fields));
const log: Logger = { debug: write, info: write, warn: write, error: write };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-publish-"));
  there = await startRegistry();
  front = await startFront(there.host.url);
  password = there.host.tokens.get("artifact-registry") ?? "";
  await writeFile(passwordFile(), password);
  ours = await startRegistry(await environment("60s"), { log });
});
afterEach(async () => {
  front.refuse = undefined;
  await writeFile(passwordFile(), password);
});
afterAll(async () => {
  await ours?.close();
  await front?.close();
  await there?.close();
  await rm(folder, { recursive: true, force: true });
});

/** As an operator names it, but that it is on this machine. */
async function environment(deadline: string): Promise<Record<string, string>> {
  const file = join(folder, "registries.json");
  const host = { http: true, private: true, username: "slipway", password_file: passwordFile() };
  await writeFile(file, JSON.stringify({ hosts: { [front.host]: host } }));
  return {
    ...{ SLIPWAY_PUBLISH_TO: `${front.host}/slipway`, SLIPWAY_PUBLISH_DEADLINE: deadline },
    ...{ SLIPWAY_EXTERNAL_REGISTRIES: file, SLIPWAY_EXTERNAL_LOOPBACK: "true" },
  };
}

const artifactOf = (digest: string, registry = ours) => registry.as("viewer").call(getArtifact, { params: { digest } });
const askAgain = (digest: string, as = "deployer") =>
  ours.as(as).call(publishArtifact, { params: { digest }, body: {} });
const sent = (repository: string) =>
  front.asked.filter((one) => one.startsWith(`POST /v2/slipway/${repository}/blobs/uploads/`)).length;

describe("an artifact's image", () => {
  test("is copied to where regions pull it from, whole and under its commit, and is named so from then on", async () => {
    const { digest, commit, view } = await registered(ours, "orders");

    const published = await reaches(ours, digest, isPublished);

    expect(view.image).toBe(`${new URL(ours.host.url).host}/orders@${digest}`);
    expect(view.publication).toMatchObject({ status: "COPYING", host: front.host });
    const image = `${front.host}/slipway/orders@${digest}`;
    expect(published).toMatchObject({ image, waiting: null, reason: null });
    expect(published.bytes_copied).toBe(published.bytes_total);
    expect((await artifactOf(digest)).image).toBe(image);
    const [here, copy] = await Promise.all([
      ours.oci("viewer").getManifest("orders", digest),
      there.oci("viewer").getManifest("slipway/orders", commit),
    ]);
    expect(copy).toEqual(here);
  });

  test("that was imported never takes a commit's tag", async () => {
    const image = dockerImage({ labels: { "org.opencontainers.image.revision": revision } });
    await push(there, "vendor/app", image);
    const source = `${front.host}/vendor/app@${image.digest}`;

    await ended(ours, await ask(ours, { image: source }));
    await reaches(ours, image.digest, isPublished);

    const tags = await there.oci("viewer").listTags("slipway/shop");
    expect(tags).toEqual([`external-${image.digest.slice(7, 19)}`]);
  });

  test("whose layers another service has there is mounted from it, and what is there is not sent again", async () => {
    const { digest } = await registered(ours, "first");
    await reaches(ours, digest, isPublished);
    const manifest = await ours.oci("viewer").getManifest("first", digest);
    const { config, layers } = JSON.parse(Buffer.from(manifest?.bytes ?? []).toString());
    for (const blob of [config, ...layers]) {
      await ours.v2("POST", `second/blobs/uploads/?mount=${blob.digest}&from=first`);
    }
    const bytes: string[] = [];
    front.refuse = (request) => {
      if (request.method === "PUT" && request.url?.includes("/blobs/")) bytes.push(request.url);
      return false;
    };
    const commit = "d".repeat(40);
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: manifest?.mediaType,
      config,
      layers,
      annotations: { a: "b" },
    });
    await putManifest(ours, "second", commit, text);
    const own = await registerAs("second", commit);
    await reaches(ours, own, isPublished);
    const before = front.asked.length;

    await askAgain(own);
    await reaches(ours, own, isPublished);

    expect(bytes).toEqual([]);
    expect(sent("second")).toBe(2);
    expect(front.asked.slice(before).filter((one) => !/^(HEAD|GET) /.test(one))).toEqual([]);
  });

  test("waits for a password that is refused, says what to do, and goes on by itself once that is done", async () => {
    await writeFile(passwordFile(), "another");
    const { digest } = await registered(ours, "mended");
    const waits = await reaches(ours, digest, ({ waiting }) => waiting?.for.includes("refuses") === true);

    await writeFile(passwordFile(), password);
    const published = await reaches(ours, digest, isPublished);

    const host = front.host;
    expect(waits.waiting?.for).toBe(
      `${host} refuses user and password (401): correct those of ${host} in SLIPWAY_EXTERNAL_REGISTRIES`,
    );
    expect(published.reason).toBeNull();
  });

  test("whose tag is another image there is refused for good, and says which and what to do", async () => {
    const other = await pushedImage(there, "slipway/taken");
    const commit = "e".repeat(40);
    await putManifest(there, "slipway/taken", commit, other.text);
    const image = await pushedImage(ours, "taken");
    await putManifest(ours, "taken", commit, image.text);

    const digest = await registerAs("taken", commit);
    const failed = await reaches(ours, digest, ({ status }) => status === "FAILED");

    expect(failed.reason).toContain(
      `${front.host}/slipway/taken:${commit} is another image there, ${other.digest}, and`,
    );
    expect(failed.reason).toMatch(/: remove that tag there, or publish to a place that nobody else pushes to$/);
    expect((await artifactOf(digest)).image).toBe(`${new URL(ours.host.url).host}/taken@${digest}`);
  });

  test("is not called published where another is read back, whatever the registry said", async () => {
    front.refuse = (request, response) => {
      if (request.method !== "GET" || !request.url?.includes("/manifests/sha256:")) return false;
      response.writeHead(200, { "content-type": manifestType }).end("{}");
      return true;
    };
    const { digest } = await registered(ours, "changed");

    const failed = await reaches(ours, digest, ({ status }) => status === "FAILED");

    expect(failed).toMatchObject({ published_at: null, reason: `asked for ${digest}, got ${sha256("{}")}` });
  });

  test("that was registered before anything was published is copied once somebody asks for it", async () => {
    const { digest } = await registered(ours, "older");
    await reaches(ours, digest, isPublished);
    const db = ours.database.db<never>("registry");
    await sql`delete from machine where kind = 'publication' and id like ${`%${digest}`}`.execute(db);
    await sql`delete from publication where digest = ${digest}`.execute(db);

    expect(await publicationOf(ours, digest)).toMatchObject({ status: "NOT_PUBLISHED", waiting: null });
    await expect(askAgain(digest, "viewer")).rejects.toMatchObject({ code: "auth.forbidden" });
    expect(await askAgain(digest)).toMatchObject({ status: "COPYING" });
    expect(await reaches(ours, digest, isPublished)).toMatchObject({ host: front.host });
  });

  test("leaves no password in a table or a log", async () => {
    const text = `${await databaseText(ours.database.adminUrl)}\n${lines.join("\n")}`;

    expect(text).toContain("slipway/orders");
    expect(text.includes(password)).toBe(false);
    expect(text.includes(Buffer.from(`slipway:${password}`).toString("base64"))).toBe(false);
  });
});

test("a registry that is away has failed at the deadline, with the reason; asked again it is begun anew", async () => {
  const brief = await startRegistry(await environment("6s"));
  front.refuse = (_, response) => {
    response.writeHead(503).end();
    return true;
  };

  const { digest } = await registered(brief, "away");
  const failed = await reaches(brief, digest, ({ status }) => status === "FAILED");
  front.refuse = undefined;
  await brief.as("deployer").call(publishArtifact, { params: { digest }, body: {} });
  const published = await reaches(brief, digest, isPublished);

  expect(failed.reason).toMatch(
    /127\.0\.0\.1:\d+ does not take it now \(.*503\): start it, or correct SLIPWAY_PUBLISH_TO/,
  );
  expect(published.published_at).not.toBeNull();
  await brief.close();
});

test("a registry that takes requests and answers none holds up no promotion, and images are copied a few at a time", async () => {
  const held: ServerResponse[] = [];
  front.refuse = (request, response) => {
    if (request.method !== "POST") return false;
    held.push(response);
    return true;
  };
  const all = await Promise.all(Array.from({ length: 12 }, (_, i) => registered(ours, `many-${i}`)));
  const waits = async () => {
    const views = await Promise.all(all.map(({ digest }) => publicationOf(ours, digest)));
    return views.filter(({ waiting }) => waiting?.for === "others before it").length;
  };
  await until(async () => (await waits()) >= 4, { what: "four to wait for the others", timeoutMs: 60_000 });

  const promoted = await promote(ours, all[0]?.digest ?? "", "staging");
  front.refuse = undefined;
  for (const response of held) response.destroy();

  expect(promoted.status).toBe("PROMOTED");
  for (const { digest } of all) await reaches(ours, digest, isPublished);
});

test("where nothing is published an image is pulled from the platform, and nobody can ask for more", async () => {
  const { digest, view } = await registered(there, "plain");
  const asked = there.as("deployer").call(publishArtifact, { params: { digest }, body: {} });

  expect(view).toMatchObject({ publication: null, image: `${new URL(there.host.url).host}/plain@${digest}` });
  await expect(asked).rejects.toMatchObject({ code: "publication.nowhere" });
  const { artifacts } = await there.as("viewer").call(listArtifacts, { query: { service: "plain" } });
  expect(artifacts.map(({ publication }) => publication)).toEqual([null]);
});

/** Registers what stands in our registry under a commit. */
async function registerAs(service: string, commit: string): Promise<string> {
  const manifest = await ours.oci("viewer").getManifest(service, commit);
  if (manifest === undefined) throw new Error("push it first");
  const body = { service, git_sha: commit, digest: manifest.digest, spec: specOf(service), provenance };
  await ours.as("artifact-registry").call(registerArtifact, { body });
  return manifest.digest;
}
