import { deploymentTopic, type Judgement, parseEvent, watchTopic } from "@slipway/contracts";
import type { Instant } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import { aboutDeployment, aboutWatch, type World } from "./about-deployments.ts";

const about = {
  deployment_id: "D-7",
  service: "orders",
  environment: "prod",
  version: "orders-3f2a91c-x7k2p",
  digest: `sha256:${"0".repeat(64)}`,
  git_sha: "3f2a91c".padEnd(40, "0"),
  regions: ["us-east-1", "eu-west-1"],
};
const counts = { canary_requests: 40, canary_errors: 8, baseline_requests: 760, baseline_errors: 0 };
const judgement: Judgement = {
  step: 0,
  weight_percent: 5,
  verdict: "FAIL",
  sentence: "The canary fails 20% of its requests",
  requests_needed: null,
  counts,
  regions: { "us-east-1": counts },
  window_from: "2026-01-01T00:00:00.000Z" as Instant,
  at: "2026-01-01T00:00:10.000Z" as Instant,
};
const world: World = {
  known: { baselines: { "us-east-1": "orders-1111111-aaaaa", "eu-west-1": "orders-2222222-bbbbb" }, judgement: null },
  regions: [],
  at: "2026-01-01T00:10:00.000Z",
  page: "http://127.0.0.1:7400/inbox",
};

function envelope(type: string, data: object) {
  const time = world.at as Instant;
  const datacontenttype = "application/json" as const;
  return { specversion: "1.0" as const, id: "e", source: "s", type, subject: "D-7", time, datacontenttype, data };
}
const deployment = (type: string, data: object, of = world) =>
  aboutDeployment(parseEvent(deploymentTopic, envelope(`deployment.${type}`, { ...about, ...data }))!, of);
const watch = (type: string, data: object, of = world) =>
  aboutWatch(parseEvent(watchTopic, envelope(`watch.${type}`, { ...about, ...data }))!, of);

describe("a bad deployment", () => {
  test("pages when it is caught, with the numbers and the line for each region", () => {
    const epochs = { "us-east-1": 3, "eu-west-1": 4 };
    const notice = watch("failed", { epochs, judgement, first_error_at: "2026-01-01T00:00:03.000Z" });

    expect(notice).toMatchObject({
      severity: "problem",
      about: "D-7",
      title: "Bad deployment caught at 5%: orders in prod (D-7)",
      text: "The canary fails 20% of its requests. Traffic is being taken back in us-east-1 and eu-west-1 without waiting for anybody.",
    });
    expect(notice?.facts).toEqual([
      { name: "Version", value: "orders-3f2a91c-x7k2p" },
      { name: "Canary errors", value: "8 of 40 (20.0%)" },
      { name: "Baseline errors", value: "0 of 760 (0.0%)" },
      { name: "Largest weight", value: "5%" },
      { name: "First error", value: "2026-01-01T00:00:03.000Z" },
    ]);
    expect(notice?.byHand?.lines).toHaveLength(2);
    expect(notice?.byHand?.lines[1]).toContain(`"host":"orders-2222222-bbbbb"},"weight":100`);
  });

  test("that only slows down is told by its slow requests, not by the none that failed", () => {
    const slow = { ...judgement, counts: { ...counts, canary_errors: 0, canary_slow: 30 } };
    const notice = watch("failed", { epochs: { "us-east-1": 3 }, judgement: slow, first_error_at: null });

    expect(notice?.title).toBe("Slow deployment caught at 5%: orders in prod (D-7)");
    expect(notice?.facts).toContainEqual({ name: "Slow canary requests", value: "30 of 40 (75.0%)" });
  });

  test("that was verified and that a person takes back is told with who does it and what leads back", () => {
    const notice = deployment("found_bad", { reason: "it smells", by: "ada", way_back: "D-8" });

    expect(notice).toMatchObject({
      ...{ severity: "attention", about: "D-7", title: "Rollback begun: orders in prod (D-7)" },
      text: "ada takes orders-3f2a91c-x7k2p back, which was verified, by D-8: it smells.",
    });
    expect(
      deployment("found_bad", { reason: "It fails.", by: "rollback-controller", way_back: "D-8" }),
    ).toBeUndefined();
  });

  test("from which nothing leads back pages with the reason", () => {
    const bad = { reason: "It fails 20%", by: "rollback-controller", way_back: null };
    const notice = deployment("found_bad", { ...bad, no_way_back: "No version was verified before it" });

    expect(notice).toMatchObject({
      ...{ severity: "problem", title: "Bad, and no way back: orders in prod (D-7)" },
      text: "It fails 20%. orders-3f2a91c-x7k2p stays where it is: No version was verified before it. Deploy another version.",
    });
  });

  test("that was verified already pages too, and offers no line that would lead to pods that are gone", () => {
    const notice = watch("failed", { epochs: { "us-east-1": 3 }, judgement, first_error_at: null, verified: true });

    expect(notice).toMatchObject({
      title: "Bad deployment caught after it was verified: orders in prod (D-7)",
      text: expect.stringContaining("is deployed again"),
    });
    expect(notice?.byHand).toBeUndefined();
  });

  test("is told again when it is taken back, with what the judge had counted", () => {
    const known = { baselines: {}, judgement };
    const notice = deployment("rolled_back", { reason: "too many errors" }, { ...world, known });

    expect(notice).toMatchObject({ severity: "problem", title: "Taken back: orders in prod (D-7)" });
    expect(notice?.facts).toContainEqual({ name: "Canary errors", value: "8 of 40 (20.0%)" });
    expect(notice?.byHand?.lines).toHaveLength(2);
  });

  test("still gives the line, to the base Service, when nothing is known of the deployment", () => {
    const notice = deployment("rolled_back", { reason: "x" }, { ...world, known: undefined });

    expect(notice?.byHand?.lines[0]).toContain(`"host":"orders"},"weight":100`);
  });
});

describe("a rollback", () => {
  test("begun by a person is told; one begun by the watch was told already", () => {
    expect(deployment("restoring", { reason: "I saw it", by: "alice" })).toMatchObject({
      title: "Rollback begun: orders in prod (D-7)",
      text: "alice takes orders-3f2a91c-x7k2p back: I saw it.",
      byHand: { lines: [expect.any(String), expect.any(String)] },
    });
    expect(deployment("restoring", { reason: "x", by: "rollback-controller" })).toBeUndefined();
    expect(deployment("restoring", { reason: "x", by: "slipway" })).toBeUndefined();
  });
});

describe("a mesh that does not follow a rollback", () => {
  const since = "2026-01-01T00:07:50.000Z";
  const region = "eu-west-1";

  test("is told as a problem, with region, version, since when, what it served and where to look", () => {
    const notice = deployment("mesh_behind", { region, since, from_percent: 5 });

    expect(notice).toMatchObject({
      severity: "problem",
      about: "D-7",
      title: "The mesh of eu-west-1 does not follow: orders in prod (D-7)",
      text: expect.stringMatching(
        /^Weight 0 was written for orders-3f2a91c-x7k2p 2 min 10 s ago, and the mesh of eu-west-1 .* 5% of the requests\. .*\(istiod\).*: slipway status D-7$/,
      ),
      facts: [
        { name: "Version", value: "orders-3f2a91c-x7k2p" },
        { name: "Region", value: region },
        { name: "Written at", value: since },
      ],
    });
    expect(notice?.byHand?.lines).toEqual(["kubectl --context eu-west-1 -n istio-system get pods -l app=istiod"]);
  });

  test("is told again when it follows after all", () => {
    expect(deployment("mesh_followed", { region, since })).toMatchObject({
      severity: "good",
      title: "The mesh of eu-west-1 follows: orders in prod (D-7)",
      text: "It sends orders-3f2a91c-x7k2p nothing any more, 2 min 10 s after weight 0 was written there, and its pods are gone.",
    });
  });
});

describe("a region in which a version cannot be taken back", () => {
  const since = "2026-01-01T00:07:50.000Z";
  const region = "eu-west-1";

  test("is told as a problem, with what the version has there, since when, and how the same is done by hand", () => {
    const notice = deployment("region_away", { region, since, weight_percent: 5 });

    expect(notice).toMatchObject({
      severity: "problem",
      about: "D-7",
      title: "Not taken back in eu-west-1, whose API is away or refuses it: orders in prod (D-7)",
      text: expect.stringMatching(
        /^Weight 0 for orders-3f2a91c-x7k2p could not be written in eu-west-1 for 2 min 10 s: it may go on having 5% of the requests there\..*: slipway status D-7$/,
      ),
      facts: [
        { name: "Version", value: "orders-3f2a91c-x7k2p" },
        { name: "Region", value: region },
        { name: "Asked for at", value: since },
      ],
    });
    expect(notice?.byHand?.lines).toEqual([
      expect.stringMatching(/^kubectl --context eu-west-1 .* patch virtualservice/),
    ]);
    expect(deployment("region_away", { region, since, weight_percent: 0 })?.text).toContain("it has no requests there");
  });

  test("of the way back from a verified version is told with what serves there instead, and once it is done", () => {
    const instead = "orders-5e6f7a8-b2c3d";
    const notice = deployment("region_away", { region, since, weight_percent: 100, instead });

    expect(notice?.text).toMatch(
      /^orders-3f2a91c-x7k2p could not be brought back in eu-west-1 for 2 min 10 s: orders-5e6f7a8-b2c3d may go on having 100% of the requests there\..*: slipway status D-7$/,
    );
    expect(notice?.byHand).toBeUndefined();
    expect(deployment("region_back", { region, since, instead })?.text).toBe(
      "orders-3f2a91c-x7k2p serves there again, 2 min 10 s after it was asked for the first time.",
    );
  });

  test("is told again once it was written", () => {
    expect(deployment("region_back", { region, since })).toMatchObject({
      severity: "good",
      title: "Taken back in eu-west-1 after all: orders in prod (D-7)",
      text: expect.stringContaining("2 min 10 s after it was asked for the first time"),
    });
  });
});

test("a success says where and how long it took", () => {
  expect(deployment("succeeded", { created_at: "2026-01-01T00:06:40.000Z" })).toMatchObject({
    severity: "good",
    text: "orders-3f2a91c-x7k2p serves 100% in us-east-1 and eu-west-1, 3 min 20 s after it was asked for.",
  });
});

test.each([
  ["held", "attention", /goes no further by itself: region away\./],
  ["held", "attention", /inbox\. To let it go on, or to take it back: slipway resume D-7 or slipway rollback D-7$/],
  ["approval_requested", "attention", /waits for a named person: region away\. .*: slipway approve D-7 --as approver$/],
  ["failed", "problem", /region away\. It was given no traffic/],
])("a deployment that is %s is told as %s", (type, severity, text) => {
  expect(deployment(type, { reason: "region away" })).toMatchObject({ severity, text: expect.stringMatching(text) });
});

test.each([
  ["approval_requested", "approval"],
  ["held", "resume"],
  ["failed", undefined],
])("a notice of %s asks for %s", (type, waits) => {
  expect(deployment(type, { reason: "x" })?.waits).toBe(waits);
});

test("missing metrics are told, with since when", () => {
  const since = "2026-01-01T00:00:00.000Z";
  expect(watch("metrics_missing", { since, regions: ["eu-west-1"] })).toMatchObject({
    severity: "attention",
    text: `No metrics from eu-west-1 since ${since}. Nothing is raised until they are back.`,
  });
});

test("what nobody needs to be told makes no notification", () => {
  expect(deployment("granted", { epochs: {} })).toBeUndefined();
  expect(deployment("verified", {})).toBeUndefined();
  expect(deployment("cancelled", { reason: "x" })).toBeUndefined();
  expect(watch("armed", { epochs: {} })).toBeUndefined();
});
