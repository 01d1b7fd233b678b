import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { approvePromotion, getImport, listImports, ProblemError, registerArtifact } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { promote, promotionsOf } from "./artifact-examples.ts";
import { artifactOf, ask, dockerImage, dockerManifestType, ended, platform, push, revision } from "./foreign-images.ts";
import { indexType, putManifest, sha256, startRegistry, type TestRegistry } from "./start-registry.ts";

let ours: TestRegistry;
let strict: TestRegistry;
let foreign: TestRegistry;
let host: string;
let away: ReturnType<typeof askAway>;
let credentials: { username: string; password: string };
beforeAll(async () => {
  [ours, strict, foreign] = await Promise.all([
    startRegistry({ SLIPWAY_EXTERNAL_LOOPBACK: "true", SLIPWAY_EXTERNAL_DEADLINE: "20s" }),
    startRegistry(),
    startRegistry(),
  ]);
  host = new URL(foreign.host.url).host;
  away = askAway();
  away.catch(() => undefined);
  credentials = { username: "anybody", password: foreign.host.tokens.get("viewer") ?? "" };
});
afterAll(async () => {
  await Promise.all([ours?.close(), strict?.close(), foreign?.close()]);
});

async function problemOf(call: Promise<unknown>): Promise<ProblemError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ProblemError) return error;
  throw new Error("it was not refused");
}

/** A registry that answers as a test says. */
async function scripted(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("an image of another registry", () => {
  test("is copied whole, keeps its digest, and is an artifact in the first environment", async () => {
    const image = dockerImage({ labels: { "org.opencontainers.image.revision": revision } });
    await push(foreign, "vendor/app", image);
    const source = `${host}/vendor/app@${image.digest}`;

    const spec = { workload: { replicas: 3 }, environments: { prod: { env: { LOG_LEVEL: "info" } } } };
    const begun = await ask(ours, { image: source, credentials, spec });
    const end = await ended(ours, begun);

    const bytes = image.blobs.reduce((sum, blob) => sum + blob.bytes.length, 0);
    expect(begun).toMatchObject({ status: "COPYING", service: "shop", image: source, requested_by: "deployer" });
    expect(end).toMatchObject({ status: "REGISTERED", digest: image.digest, git_sha: revision, reason: null });
    expect([end.bytes_total, end.bytes_copied]).toEqual([bytes, bytes]);
    const artifact = await artifactOf(ours, end);
    expect(artifact).toMatchObject({
      service: "shop",
      spec: { service: "shop", kind: "web", workload: { replicas: 3 }, deploy: { strategy: "canary" } },
      provenance: {
        ...{ builder: "external", source, registered_by: "deployer", git_sha_from: "label", isolation: "unknown" },
        platform: `${platform.os}/${platform.architecture}`,
      },
      environments: [{ environment: "dev", by: "deployer" }],
    });
    const there = await ours.oci("viewer").getManifest("shop", image.digest);
    expect([Buffer.from(there?.bytes ?? []).toString(), there?.mediaType]).toEqual([image.text, dockerManifestType]);
  });

  test("goes to production as one of our own does: with an approver who did not ask", async () => {
    const image = dockerImage();
    await push(foreign, "vendor/app", image);
    await ended(
      ours,
      await ask(ours, { image: `${host}/vendor/app@${image.digest}`, credentials, git_sha: "a".repeat(40) }),
    );

    await promote(ours, image.digest, "staging");
    const { promotion_id: id, status } = await promote(ours, image.digest, "prod");
    const approved = await ours.as("approver").call(approvePromotion, { params: { id } });

    expect([status, approved.status]).toEqual(["PENDING", "PROMOTED"]);
  });

  test("of an index is the one for this platform; the source stays the index", async () => {
    const other = dockerImage({ architecture: "s390x" });
    const image = dockerImage({ labels: { "org.opencontainers.image.revision": revision } });
    for (const each of [other, image]) await push(foreign, "multi", each);
    const entry = (digest: string, text: string, of: object) => ({
      ...{ mediaType: dockerManifestType, digest, size: text.length, platform: of },
    });
    const manifests = [
      entry(other.digest, other.text, { os: "linux", architecture: "s390x" }),
      entry(image.digest, image.text, platform),
    ];
    const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
    await putManifest(foreign, "multi", sha256(index), index, indexType);
    const source = `${host}/multi@${sha256(index)}`;

    const end = await ended(ours, await ask(ours, { service: "multi", image: source, credentials }));
    const nowhere = await ended(
      ours,
      await ask(ours, { service: "multi", image: source, credentials, platform: "linux/riscv64" }),
    );

    expect(end).toMatchObject({ status: "REGISTERED", digest: image.digest });
    expect((await artifactOf(ours, end)).provenance).toMatchObject({ source });
    expect(nowhere).toMatchObject({ status: "FAILED", reason: expect.stringContaining("it has linux/s390x, linux/") });
  });

  test("without a commit fails and says what to do; a commit that is given goes before the label", async () => {
    const [bare, labelled] = [
      dockerImage(),
      dockerImage({ labels: { "org.opencontainers.image.revision": revision } }),
    ];
    for (const image of [bare, labelled]) await push(foreign, "commits", image);
    const at = ({ digest }: { digest: string }) => ({
      service: "commits",
      image: `${host}/commits@${digest}`,
      credentials,
    });

    const none = await ended(ours, await ask(ours, at(bare)));
    const given = await ended(ours, await ask(ours, { ...at(labelled), git_sha: "c".repeat(40) }));

    expect(none.status).toBe("FAILED");
    expect(none.reason).toMatch(/org\.opencontainers\.image\.revision.*say git_sha/);
    expect(given.git_sha).toBe("c".repeat(40));
    expect((await artifactOf(ours, given)).provenance).toMatchObject({ git_sha_from: "request" });
  });

  test("for another kind of machine is refused", async () => {
    const image = dockerImage({ architecture: "s390x" });
    await push(foreign, "vendor/app", image);

    const end = await ended(
      ours,
      await ask(ours, { image: `${host}/vendor/app@${image.digest}`, credentials, git_sha: revision }),
    );

    expect(end.reason).toContain("The image is for linux/s390x");
  });

  test("again with another configuration starts again in the first environment, and what waits for approval ends", async () => {
    const image = dockerImage();
    await push(foreign, "vendor/app", image);
    const asked = { image: `${host}/vendor/app@${image.digest}`, credentials, git_sha: "d".repeat(40) };
    await ended(ours, await ask(ours, asked));
    await promote(ours, image.digest, "staging");
    await promote(ours, image.digest, "prod");

    const same = await ended(ours, await ask(ours, asked));
    const before = await artifactOf(ours, same);
    const revised = await ended(ours, await ask(ours, { ...asked, spec: { workload: { ready: { path: "/ready" } } } }));
    const after = await artifactOf(ours, revised);

    expect(before.environments.map(({ environment }) => environment)).toEqual(["dev", "staging"]);
    expect(after.environments.map(({ environment }) => environment)).toEqual(["dev"]);
    expect(after.spec.workload.ready.path).toBe("/ready");
    expect((await promotionsOf(ours, image.digest)).map(({ to, status }) => [to, status])).toEqual([
      ["staging", "PROMOTED"],
      ["prod", "REJECTED"],
    ]);
    expect((await promote(ours, image.digest, "staging")).status).toBe("PROMOTED");
  });

  test("belongs to one service: another one is told whose it is", async () => {
    const image = dockerImage();
    await push(foreign, "vendor/app", image);
    const asked = { image: `${host}/vendor/app@${image.digest}`, credentials, git_sha: "e".repeat(40) };
    await ended(ours, await ask(ours, asked));

    const end = await ended(ours, await ask(ours, { ...asked, service: "other" }));

    expect(end).toMatchObject({ status: "FAILED", reason: expect.stringContaining("is registered for shop") });
  });
});

describe("credentials", () => {
  test("are in no table, no answer and no log of what was asked", async () => {
    const image = dockerImage();
    await push(foreign, "vendor/app", image);
    const end = await ended(
      ours,
      await ask(ours, { image: `${host}/vendor/app@${image.digest}`, credentials, git_sha: revision }),
    );
    expect(end.status).toBe("REGISTERED");

    const db = ours.database.db<Record<string, never>>("registry");
    const { rows: tables } = await sql<{ name: string }>`
      select table_name as name from information_schema.tables where table_schema = 'registry'`.execute(db);
    expect(tables.length).toBeGreaterThan(10);
    for (const { name } of tables) {
      const { rows } = await sql<{ found: number }>`
        select count(*)::int as found from ${sql.table(name)} as t where position(${credentials.password} in t::text) > 0`.execute(
        db,
      );
      expect([name, rows[0]?.found]).toEqual([name, 0]);
    }
    const views = await ours.as("viewer").call(listImports, { query: { service: "shop" } });
    expect(JSON.stringify(views)).not.toContain(credentials.password);
  });

  test("that are missing or wrong are said to be so, without another try", async () => {
    const image = dockerImage();
    await push(foreign, "vendor/app", image);
    const source = `${host}/vendor/app@${image.digest}`;

    const none = await ended(ours, await ask(ours, { image: source, git_sha: revision }));
    const wrong = { username: "x", password: "slp_wrong" };
    const refused = await ended(ours, await ask(ours, { image: source, git_sha: revision, credentials: wrong }));

    expect([none.status, refused.status]).toEqual(["FAILED", "FAILED"]);
    expect(none.reason).toContain("It wants credentials");
    expect(refused.reason).not.toContain("slp_wrong");
  });
});

describe("refused at once", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  test.each([
    ["a tag", "ghcr.io/org/app:v1", /a tag may move/],
    ["a tag beside a digest", `ghcr.io/org/app:v1@${digest}`, /has no tag beside the digest/],
    ["no host", `org/app@${digest}`, /begins with its registry's host/],
    ["a URL", `https://ghcr.io/org/app@${digest}`, /without https:/],
  ])("%s", async (_what, image, why) => {
    const problem = await problemOf(ask(strict, { image }));

    expect(problem.code).toBe("request.invalid");
    expect(JSON.stringify(problem.errors)).toMatch(why);
  });

  test.each([
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "127.0.0.1:5000",
    "2130706433.",
    "10.0.0.1",
    "0.0.0.0:80",
    "[::1]:5000",
  ])("a host at %s, which no registry of the public is", async (at) => {
    const problem = await problemOf(ask(strict, { image: `${at}/x@${digest}` }));

    expect(problem.code).toBe("image.unusable");
    expect(problem.remedy).toContain("SLIPWAY_EXTERNAL_REGISTRIES");
  });

  test("by a viewer, and by a service", async () => {
    for (const name of ["viewer", "artifact-registry"]) {
      const problem = await problemOf(
        strict.as(name).call(registerArtifact, {
          body: { service: "shop", image: `ghcr.io/org/app@${digest}` },
        }),
      );
      expect(problem.code).toBe("auth.forbidden");
    }
  });
});

describe("a registry that means no good, or has trouble", () => {
  const manifest = dockerImage();

  test("may not send us to the metadata of the machine", async () => {
    await using evil = await scripted((_request, response) => {
      response.writeHead(307, { location: "http://169.254.169.254/latest/meta-data" }).end();
    });

    const end = await ended(ours, await ask(ours, { image: `${evil.host}/x@${manifest.digest}`, git_sha: revision }));

    expect(end).toMatchObject({
      status: "FAILED",
      reason: expect.stringContaining("169.254.169.254 may not be asked"),
    });
  });

  test("may not name a token server there either", async () => {
    await using evil = await scripted((_request, response) => {
      response.writeHead(401, { "www-authenticate": 'Bearer realm="https://169.254.169.254/token"' }).end();
    });

    const end = await ended(ours, await ask(ours, { image: `${evil.host}/x@${manifest.digest}`, git_sha: revision }));

    expect(end.reason).toContain("169.254.169.254 may not be asked");
  });

  test("that gives other bytes than the digest says is found out", async () => {
    await using evil = await scripted((request, response) => {
      if (request.url?.includes("/manifests/"))
        response.writeHead(200, { "content-type": dockerManifestType }).end(manifest.text);
      else response.writeHead(200).end("something else");
    });

    const end = await ended(ours, await ask(ours, { image: `${evil.host}/x@${manifest.digest}`, git_sha: revision }));

    expect(end).toMatchObject({
      status: "FAILED",
      reason: expect.stringMatching(/^Asked for sha256:\w+, got sha256:/),
    });
  });

  test("that gives a token to anybody who asks is asked", async () => {
    const tokens: string[] = [];
    await using open = await scripted((request, response) => {
      if (request.url?.startsWith("/token")) {
        tokens.push(request.url);
        response.writeHead(200).end(JSON.stringify({ token: "for-anybody" }));
        return;
      }
      if (request.headers.authorization !== "Bearer for-anybody") {
        const realm = `Bearer realm="http://${request.headers.host}/token",service="hub"`;
        response.writeHead(401, { "www-authenticate": realm }).end();
        return;
      }
      const blob = manifest.blobs.find(({ digest }) => request.url?.endsWith(digest));
      response.writeHead(200, { "content-type": dockerManifestType }).end(blob?.bytes ?? manifest.text);
    });

    const end = await ended(
      ours,
      await ask(ours, { service: "hub", image: `${open.host}/x@${manifest.digest}`, git_sha: revision }),
    );

    expect(end).toMatchObject({ status: "REGISTERED", digest: manifest.digest });
    expect(tokens.length).toBe(1);
  });

  test("that is away is waited for, with the reason shown, and not for ever", async () => {
    const { begun, again, other, waiting, end } = await away;

    expect(waiting).toMatchObject({
      for: expect.stringMatching(/^127\.0\.0\.1:1 \(.*ECONNREFUSED/),
      unblockedBy: expect.stringContaining(begun.deadline_at),
    });
    expect(again.import_id).toBe(begun.import_id);
    expect(other.code).toBe("artifact.conflict");
    expect(end).toMatchObject({ status: "FAILED", reason: expect.stringMatching(/in time/) });
  });
});

/** Asks for an image of a registry that is away, and waits for the end of it: it takes as long as imports may take here. */
async function askAway() {
  const image = `127.0.0.1:1/x@sha256:${"0".repeat(64)}`;
  const begun = await ask(ours, { image, git_sha: revision });
  const waiting = await until(
    async () => {
      const view = await ours.as("viewer").call(getImport, { params: { id: begun.import_id } });
      return /ECONNREFUSED/.test(view.waiting?.for ?? "") ? view.waiting : undefined;
    },
    { what: "the reason", timeoutMs: 60_000 },
  );
  const again = await ask(ours, { image, git_sha: revision });
  const other = await problemOf(ask(ours, { image, git_sha: "f".repeat(40) }));
  return { begun, waiting, again, other, end: await ended(ours, begun) };
}
