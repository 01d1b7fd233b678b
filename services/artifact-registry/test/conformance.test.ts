import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startRegistry } from "./start-registry.ts";

/** Path of the OCI conformance suite's program (`go install github.com/opencontainers/distribution-spec/conformance`). */
const suite = process.env.SLIPWAY_OCI_CONFORMANCE;

test.skipIf(suite === undefined)(
  "the conformance suite of the specification finds no failure (skipped where SLIPWAY_OCI_CONFORMANCE names no program)",
  { timeout: 120_000 },
  async () => {
    const registry = await startRegistry();
    const results = await mkdtemp(join(tmpdir(), "slipway-conformance-"));
    try {
      const { stdout } = await promisify(execFile)(suite ?? "", [], {
        timeout: 100_000,
        maxBuffer: 64 * 1024 * 1024,
        env: {
          OCI_REGISTRY: new URL(registry.host.url).host,
          OCI_TLS: "disabled",
          OCI_REPO1: "conformance/one",
          OCI_REPO2: "conformance/two",
          OCI_VERSION: "1.1",
          OCI_RESULTS_DIR: results,
          OCI_USERNAME: "service",
          OCI_PASSWORD: registry.host.tokens.get("artifact-registry"),
        },
      });

      expect(stdout).toMatch(/OCI Conformance Result: Pass/);
      expect(stdout).toMatch(/\bFAIL\.*: +0\n/);
      expect(Number(/\bPass\.*: +(\d+)\n/.exec(stdout)?.[1])).toBeGreaterThan(500);
    } finally {
      await registry.close();
      await rm(results, { recursive: true });
    }
  },
);
