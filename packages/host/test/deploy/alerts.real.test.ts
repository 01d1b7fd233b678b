import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { realPart } from "@slipway/testkit";
import { expect, test } from "vitest";
import { root } from "./tree.ts";

const part = realPart("prometheus");

test.skipIf(part === undefined)(
  "promtool takes the alerts, runs their tests, and takes Prometheus's configuration",
  async () => {
    const folder = join(root, "deploy/prometheus");
    const promtool = async (...args: string[]) =>
      (
        await promisify(execFile)(part?.also.promtool ?? "", args, {
          cwd: folder,
          env: { ...process.env, ...part?.env },
        })
      ).stdout;

    expect(await promtool("check", "rules", "alerts.yml")).toContain("SUCCESS");
    expect(await promtool("test", "rules", "alerts.test.yml")).toContain("SUCCESS");
    expect(await promtool("check", "config", "prometheus.yml")).toContain("SUCCESS");
  },
);
