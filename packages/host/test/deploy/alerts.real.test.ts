import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { realPart } from "@slipway/testkit";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { mutantsOf, type Rule, Rules } from "./alert-mutants.ts";
import { readYaml, root } from "./tree.ts";

const part = realPart("prometheus");
const folder = join(root, "deploy/prometheus");
const groups = Rules.parse(readYaml("deploy/prometheus/alerts.yml")).groups;
const RuleTests = z.looseObject({ tests: z.array(z.looseObject({ name: z.string() })) });

const promtool = async (cwd: string, ...args: string[]) =>
  (await promisify(execFile)(part?.also.promtool ?? "", args, { cwd, env: { ...process.env, ...part?.env } })).stdout;

describe.skipIf(part === undefined)("the alerts", () => {
  test("promtool takes them, runs their tests, and takes Prometheus's configuration", async () => {
    expect(await promtool(folder, "check", "rules", "alerts.yml")).toContain("SUCCESS");
    expect(await promtool(folder, "test", "rules", "alerts.test.yml")).toContain("SUCCESS");
    expect(await promtool(folder, "check", "config", "prometheus.yml")).toContain("SUCCESS");
  });

  test.each(groups.flatMap(({ rules }) => rules))(
    "$alert is held by its tests: duration, threshold and severity",
    async (rule) => {
      expect(await passes(rule)).toBe(true);

      for (const { what, rule: mutant } of mutantsOf(rule)) expect([what, await passes(mutant)]).toEqual([what, false]);
    },
  );
});

/** Whether the tests that are named after this alert pass with this rule alone. */
async function passes(rule: Rule): Promise<boolean> {
  const all = RuleTests.parse(readYaml("deploy/prometheus/alerts.test.yml"));
  const tests = all.tests.filter(({ name }) => name.startsWith(`${rule.alert},`));
  expect(tests.length).toBeGreaterThan(0);
  const own = await mkdtemp(join(tmpdir(), "slipway-alerts-"));
  try {
    await writeFile(join(own, "alerts.yml"), stringify({ groups: [{ name: "one", rules: [rule] }] }));
    await writeFile(join(own, "alerts.test.yml"), stringify({ ...all, tests }));
    await promtool(own, "check", "rules", "alerts.yml");
    return await promtool(own, "test", "rules", "alerts.test.yml").then(
      () => true,
      () => false,
    );
  } finally {
    await rm(own, { recursive: true });
  }
}
