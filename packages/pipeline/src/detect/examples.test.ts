import { fileURLToPath } from "node:url";
import type { ServiceName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { parseSlipwayYaml } from "../slipway-yaml.ts";
import { detectFile } from "./detect-file.ts";
import { readRepository } from "./read-repository.ts";

const shown = { "node-web": "node24", "python-web": "python3", "go-web": "static", "order-service": "node24" };

test.each(Object.entries(shown))(
  "the file detected for the example %s is valid and stands on %s",
  async (name, base) => {
    const folder = fileURLToPath(new URL(`../../../../examples/${name}`, import.meta.url));

    const found = detectFile(await readRepository(folder), name as ServiceName);
    const parsed = found.kind === "detected" ? parseSlipwayYaml(found.text) : undefined;

    expect(parsed).toMatchObject({
      kind: "file",
      file: { image: { base }, workload: { ready: { path: "/healthz" } } },
    });
  },
);
