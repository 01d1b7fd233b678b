import { type ArtifactView, SlipwayFile } from "@slipway/contracts";
import type { EnvironmentName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { renderWorkload, secretNames } from "./manifest.ts";

const prod = "prod" as EnvironmentName;
const artifact = {
  service: "orders",
  git_sha: "3f2a91c".padEnd(40, "0"),
  digest: `sha256:${"ab".repeat(32)}`,
  image: `registry/orders@sha256:${"ab".repeat(32)}`,
  spec: SlipwayFile.parse({
    version: 1,
    service: "orders",
    pipeline: {},
    image: { copy: ["dist"], command: ["node", "x"] },
    environments: { prod: { secrets: ["DB_URL", "KEY"] } },
  }),
} as unknown as ArtifactView;
const versionOf = (secrets?: Record<string, string>): string => renderWorkload(artifact, prod, secrets).version;

test("a version is bound to the revisions of its secrets, in whatever order they are told", () => {
  const one = versionOf({ DB_URL: "r1", KEY: "r2" });

  expect(versionOf({ KEY: "r2", DB_URL: "r1" })).toBe(one);
  expect(versionOf({ DB_URL: "r2", KEY: "r1" })).not.toBe(one);
  expect(versionOf({ DB_URL: "r1" })).not.toBe(one);
});

test("without secrets a version is called what it was called before there were any", () => {
  expect(versionOf({})).toBe(versionOf());
  expect(renderWorkload(artifact, prod, {}).workload).not.toHaveProperty("secrets");
});

test("each environment names its own", () => {
  expect(secretNames(artifact, prod)).toEqual(["DB_URL", "KEY"]);
  expect(secretNames(artifact, "staging" as EnvironmentName)).toEqual([]);
});

test("an image that is published is pulled from there, and the version is called what it is called without", () => {
  const image = `r.example/slipway/orders@${artifact.digest}`;
  const published = { ...artifact, publication: { image } } as unknown as ArtifactView;

  const { version, workload } = renderWorkload(published, prod);

  expect(workload.image).toBe(image);
  expect(version).toBe(versionOf());
  expect(renderWorkload({ ...artifact, publication: null }, prod).workload.image).toBe(artifact.image);
});
