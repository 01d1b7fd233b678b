import { postgresBus } from "@slipway/bus";
import {
  approvePromotion,
  artifactTopic,
  deploymentTopic,
  getArtifact,
  listArtifacts,
  ProblemError,
  registerArtifact,
} from "@slipway/contracts";
import { verifyAudit } from "@slipway/durable";
import { silentLogger } from "@slipway/sql";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inStaging, nextCommit, promote, promotionsOf, provenance, registered, specOf } from "./artifact-examples.ts";
import { pushedImage, putManifest, startRegistry, type TestRegistry } from "./start-registry.ts";

type Rows = {
  audit: { seq: number; actor: string; action: string; subject: string; detail: unknown };
  inbox: { event_id: string };
  pin: { digest: string; deployment: string; phase: string };
};

let registry: TestRegistry;
let db: ReturnType<typeof registry.database.db<Rows>>;
let bus: ReturnType<typeof postgresBus>;
beforeAll(async () => {
  registry = await startRegistry();
  db = registry.database.db<Rows>("registry");
  bus = postgresBus({ url: registry.database.url("bus"), log: silentLogger });
});
afterAll(async () => {
  await bus?.close();
  await registry?.close();
});

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ProblemError) return error.code;
  throw new Error(`not refused: ${String(error)}`);
}

function approve(id: string, as = "approver") {
  return registry.as(as).call(approvePromotion, { params: { id }, body: { reason: "looks right" } });
}

async function eventsAbout(digest: string) {
  const { events } = await bus.read(artifactTopic.name, 0, 500);
  return events.filter((event) => event.subject === digest);
}

async function audited(subject: string) {
  return db.selectFrom("audit").selectAll().where("subject", "=", subject).orderBy("seq").execute();
}

async function rollBack(digest: string, environment: string, eventId: string): Promise<void> {
  await tell("rolled_back", digest, environment, eventId, {});
}

/** Verified there, and found bad since. */
async function findBad(digest: string, environment: string, eventId: string): Promise<void> {
  await tell("found_bad", digest, environment, eventId, { by: "rollback-controller", way_back: "D-8" });
}

async function tell(name: string, digest: string, environment: string, eventId: string, also: object): Promise<void> {
  await bus.publish(deploymentTopic.name, [
    {
      specversion: "1.0",
      id: eventId,
      source: "deployment-orchestrator",
      type: `deployment.${name}`,
      subject: "D-7",
      time: "2026-11-23T11:00:00.000Z" as never,
      datacontenttype: "application/json",
      data: {
        deployment_id: "D-7",
        service: "orders",
        environment,
        version: "orders-1234567-abcde",
        digest,
        git_sha: "1".repeat(40),
        regions: ["us-east-1"],
        reason: "20% of its requests failed",
        ...also,
      },
    },
  ]);
}

describe("registering", () => {
  test("puts an image into dev and answers where to pull it", async () => {
    const { digest, commit, view } = await registered(registry);

    expect(view.image).toBe(`${new URL(registry.host.url).host}/orders@${digest}`);
    expect(view.git_sha).toBe(commit);
    expect(view.environments.map((place) => place.environment)).toEqual(["dev"]);
    expect(view.bad_in).toEqual([]);
    const found = await registry
      .as("viewer")
      .call(listArtifacts, { query: { service: "orders", git_sha: commit.slice(0, 7) } });
    expect(found.artifacts.map((artifact) => artifact.digest)).toEqual([digest]);
  });

  test("twice answers the same and says it once", async () => {
    const { digest, commit, view } = await registered(registry);
    const body = { service: "orders", git_sha: commit, digest, spec: specOf("orders"), provenance };

    const again = await registry.as("artifact-registry").call(registerArtifact, { body });

    expect(again).toEqual(view);
    await until(async () => (await eventsAbout(digest)).length === 1, { what: "the event" });
    expect((await audited(digest)).map((entry) => entry.action)).toEqual(["artifact.registered"]);
  });

  test("wants the image in the registry under its commit", async () => {
    const image = await pushedImage(registry, "orders");
    const commit = nextCommit();
    const body = { service: "orders", git_sha: commit, digest: image.digest, spec: specOf("orders"), provenance };
    const service = registry.as("artifact-registry");

    expect(await codeOf(service.call(registerArtifact, { body }))).toBe("artifact.not_found");
    await putManifest(registry, "orders", image.digest, image.text);
    expect(await codeOf(service.call(registerArtifact, { body }))).toBe("artifact.not_found");
    const other = await pushedImage(registry, "orders");
    await putManifest(registry, "orders", commit, other.text);
    expect(await codeOf(service.call(registerArtifact, { body }))).toBe("artifact.conflict");
  });

  test("with another spec is a conflict, by anybody but a service forbidden", async () => {
    const { digest, commit } = await registered(registry);
    const spec = { ...specOf("orders"), image: { copy: ["other"], command: ["node", "x.js"] } };
    const body = { service: "orders", git_sha: commit, digest, spec, provenance };

    expect(await codeOf(registry.as("artifact-registry").call(registerArtifact, { body }))).toBe("artifact.conflict");
    expect(await codeOf(registry.as("deployer").call(registerArtifact, { body }))).toBe("auth.forbidden");
  });

  test("again from an isolated build replaces the provenance of one without isolation, never the other way round", async () => {
    const { digest, commit } = await registered(registry, "orders", { isolation: "none" });
    const service = registry.as("artifact-registry");
    const body = { service: "orders", git_sha: commit, digest, spec: specOf("orders") };

    const better = await service.call(registerArtifact, { body: { ...body, provenance } });
    const worse = await service.call(registerArtifact, {
      body: { ...body, provenance: { ...provenance, isolation: "none", build_id: "B-9" } },
    });

    expect(better).toMatchObject({ provenance });
    expect(worse).toMatchObject({ provenance });
  });
});

describe("promotion", () => {
  test("to staging needs nobody else and takes hold at once", async () => {
    const { digest } = await registered(registry);

    const promotion = await promote(registry, digest, "staging");

    expect(promotion).toMatchObject({
      status: "PROMOTED",
      from: "dev",
      to: "staging",
      approvals_needed: 0,
      approvals: [],
    });
    const artifact = await registry.as("viewer").call(getArtifact, { params: { digest } });
    expect(artifact.environments.map((place) => place.environment)).toEqual(["dev", "staging"]);
  });

  test("to prod waits for one approver and then takes hold", async () => {
    const { digest } = await inStaging(registry);
    const asked = await promote(registry, digest, "prod");

    const before = await registry.as("viewer").call(getArtifact, { params: { digest } });
    const approved = await approve(asked.promotion_id);
    const after = await registry.as("viewer").call(getArtifact, { params: { digest } });

    expect(asked).toMatchObject({ status: "PENDING", approvals_needed: 1, requested_by: "deployer", decided_at: null });
    expect(before.environments.map((place) => place.environment)).not.toContain("prod");
    expect(approved).toMatchObject({ status: "PROMOTED", approvals: [{ by: "approver", reason: "looks right" }] });
    expect(after.environments.at(-1)).toMatchObject({ environment: "prod", by: "approver" });
  });

  test("is never approved by who asked for it, whatever their roles", async () => {
    const { digest } = await inStaging(registry);
    const asked = await promote(registry, digest, "prod", "admin");

    expect(await codeOf(approve(asked.promotion_id, "admin"))).toBe("promotion.self_approval");
    expect(await codeOf(approve(asked.promotion_id, "deployer"))).toBe("auth.forbidden");
    const artifact = await registry.as("viewer").call(getArtifact, { params: { digest } });
    expect(artifact.environments.map((place) => place.environment)).not.toContain("prod");
  });

  test("passes the environments in order", async () => {
    const { digest } = await registered(registry);

    expect(await codeOf(promote(registry, digest, "prod"))).toBe("promotion.order");
    expect(await codeOf(promote(registry, digest, "dev"))).toBe("promotion.order");
    expect(await codeOf(promote(registry, digest, "moon"))).toBe("environment.not_found");
    expect(await codeOf(promote(registry, `sha256:${"0".repeat(64)}`, "staging"))).toBe("artifact.not_found");
    expect(await codeOf(approve("P-999999"))).toBe("promotion.not_found");
  });

  test("of an artifact that was built without isolation stops before prod", async () => {
    const { digest } = await inStaging(registry, { isolation: "none" });

    expect(await codeOf(promote(registry, digest, "prod"))).toBe("artifact.unisolated");
  });

  test("asked for twice is one promotion, approved twice by one person is one approval, by another too late", async () => {
    const { digest } = await inStaging(registry);
    const first = await promote(registry, digest, "prod");
    const second = await promote(registry, digest, "prod", "admin");
    const approved = await approve(first.promotion_id);
    const again = await approve(first.promotion_id);
    const third = await promote(registry, digest, "prod");

    expect(second).toEqual(first);
    expect(again).toEqual(approved);
    expect(third).toEqual(approved);
    expect(await codeOf(approve(first.promotion_id, "admin"))).toBe("promotion.closed");
    expect((await promotionsOf(registry, digest)).map((promotion) => promotion.to)).toEqual(["staging", "prod"]);
  });

  test("asked for and approved by many at once is granted once", async () => {
    const { digest } = await inStaging(registry);
    const asked = await Promise.all(Array.from({ length: 5 }, () => promote(registry, digest, "prod")));
    const id = asked[0]!.promotion_id;

    await Promise.allSettled(Array.from({ length: 5 }, (_, n) => approve(id, n % 2 === 0 ? "approver" : "admin")));

    expect(new Set(asked.map((promotion) => promotion.promotion_id)).size).toBe(1);
    expect((await audited(id)).filter((entry) => entry.action === "promotion.granted").length).toBe(1);
    expect((await promotionsOf(registry, digest)).at(-1)?.approvals.length).toBe(1);
  });

  test("is told to others as it happens", async () => {
    const { digest } = await inStaging(registry);
    const asked = await promote(registry, digest, "prod");
    await approve(asked.promotion_id);

    const types = await until(
      async () => {
        const found = (await eventsAbout(digest)).map((event) => event.type);
        return found.length >= 5 ? found : undefined;
      },
      { what: "five events" },
    );

    expect([...types].sort()).toEqual([
      "artifact.promoted",
      "artifact.promoted",
      "artifact.promotion_requested",
      "artifact.promotion_requested",
      "artifact.registered",
    ]);
  });

  test("leaves who, when and the approval chain in an audit log whose hashes hold", async () => {
    const { digest } = await inStaging(registry);
    const asked = await promote(registry, digest, "prod");
    await approve(asked.promotion_id);

    const steps = await audited(asked.promotion_id);
    const granted = steps.at(-1);

    expect(steps.map((entry) => [entry.actor, entry.action])).toEqual([
      ["deployer", "promotion.requested"],
      ["approver", "promotion.approved"],
      ["approver", "promotion.granted"],
    ]);
    expect(granted).toMatchObject({
      action: "promotion.granted",
      detail: {
        requested_by: "deployer",
        from: "staging",
        to: "prod",
        approvals: [{ by: "approver", reason: "looks right" }],
      },
    });
    expect((await verifyAudit(db)).kind).toBe("intact");
  });
});

describe("a rolled-back artifact", () => {
  test("is marked bad, barred from promotion, and said so once however often the event comes", async () => {
    const { digest } = await inStaging(registry);
    await rollBack(digest, "staging", "event-a");
    await rollBack(digest, "staging", "event-b");

    const artifact = await until(
      async () => {
        const found = await registry.as("viewer").call(getArtifact, { params: { digest } });
        return found.bad_in.length > 0 ? found : undefined;
      },
      { what: "the mark" },
    );

    expect(artifact.bad_in).toEqual(["staging"]);
    expect(await codeOf(promote(registry, digest, "prod"))).toBe("artifact.marked_bad");
    await until(async () => (await eventsAbout(digest)).some((event) => event.type === "artifact.marked_bad"), {
      what: "the event",
    });
    await until(async () => (await inboxed()).includes("event-b"), { what: "the second event" });
    expect((await audited(digest)).filter((entry) => entry.action === "artifact.marked_bad").length).toBe(1);
  });

  test("ends its open promotion, which nobody can approve any more", async () => {
    const { digest } = await inStaging(registry);
    const asked = await promote(registry, digest, "prod");
    await rollBack(digest, "staging", "event-c");

    const rejected = await until(
      async () => (await promotionsOf(registry, digest)).find((promotion) => promotion.status === "REJECTED"),
      { what: "the rejection" },
    );

    expect(rejected.promotion_id).toBe(asked.promotion_id);
    expect(await codeOf(approve(asked.promotion_id))).toBe("promotion.closed");
    expect((await audited(asked.promotion_id)).at(-1)).toMatchObject({ action: "promotion.rejected" });
  });

  test("that was verified and is found bad later is barred as well, and ends its open promotion", async () => {
    const { digest } = await inStaging(registry);
    const asked = await promote(registry, digest, "prod");
    await findBad(digest, "staging", "event-f");

    await until(
      async () => (await promotionsOf(registry, digest)).find((promotion) => promotion.status === "REJECTED"),
      { what: "the rejection" },
    );

    expect(await codeOf(approve(asked.promotion_id))).toBe("promotion.closed");
    expect(await codeOf(promote(registry, digest, "prod"))).toBe("artifact.marked_bad");
    expect((await registry.as("viewer").call(getArtifact, { params: { digest } })).bad_in).toEqual(["staging"]);
    // It stays in use until what leads away from it serves: its pin is not that of something ended.
    const pins = await db.selectFrom("pin").select("phase").where("digest", "=", digest).execute();
    expect(pins).toEqual([]);
  });

  test("in an environment further on may still be promoted to an earlier one", async () => {
    const { digest } = await registered(registry);
    await rollBack(digest, "prod", "event-d");
    await until(async () => (await inboxed()).includes("event-d"), { what: "the event" });

    expect((await promote(registry, digest, "staging")).status).toBe("PROMOTED");
    expect(await codeOf(promote(registry, digest, "prod"))).toBe("artifact.marked_bad");
  });

  test("keeps its deployment as a pin", async () => {
    const { digest } = await registered(registry);
    await rollBack(digest, "dev", "event-e");
    await until(async () => (await inboxed()).includes("event-e"), { what: "the event" });

    const pins = await db.selectFrom("pin").select(["deployment", "phase"]).where("digest", "=", digest).execute();
    expect(pins).toEqual([{ deployment: "D-7", phase: "rolled_back" }]);
  });
});

async function inboxed(): Promise<string[]> {
  return (await db.selectFrom("inbox").select("event_id").execute()).map((row) => row.event_id);
}
