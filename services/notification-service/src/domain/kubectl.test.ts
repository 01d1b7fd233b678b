import { execFileSync } from "node:child_process";
import type { EnvironmentName, RegionName, ServiceName, VersionName } from "@slipway/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import { shellWord, takeBackLines } from "./kubectl.ts";

const of = {
  service: "orders" as ServiceName,
  environment: "prod" as EnvironmentName,
  version: "orders-3f2a91c-x7k2p" as VersionName,
  regions: ["us-east-1", "eu-west-1"] as RegionName[],
  baselines: { "us-east-1": "orders-1111111-aaaaa", "eu-west-1": null },
};
const access = [{ name: "us-east-1", kubeconfig: "/data/my regions/kube'config", context: "us" }];

test("there is one line per region, which gives that region's baseline everything", () => {
  const [east, west] = takeBackLines(of, access) as [string, string];

  expect(east).toContain(`kubectl --kubeconfig '/data/my regions/kube'\\''config' --context us -n prod patch`);
  expect(patchOf(east).spec.http[0].route).toEqual([
    { destination: { host: "orders-1111111-aaaaa" }, weight: 100 },
    { destination: { host: "orders-3f2a91c-x7k2p" }, weight: 0 },
  ]);
  expect(patchOf(east).metadata.annotations).toEqual({ "slipway.dev/paused": "taken back by hand" });
  expect(west).toContain("kubectl --context eu-west-1 -n prod");
  expect(patchOf(west).spec.http[0].route[0].destination).toEqual({ host: "orders" });
});

function patchOf(line: string) {
  return JSON.parse(/ -p '(.*)'$/.exec(line)?.[1] ?? "");
}

test("a shell reads every word back as it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (word) => {
      fc.pre(!word.includes("\0"));
      expect(execFileSync("/bin/sh", ["-c", `printf %s ${shellWord(word)}`], { encoding: "utf8" })).toBe(word);
    }),
    { numRuns: 40, examples: [[""], ["$(id)"], ["a'b"], ["-n"], ["a\nb"]] },
  );
});
