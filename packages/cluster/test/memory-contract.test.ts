import type { RegionName } from "@slipway/kernel";
import { clusterContract } from "@slipway/testkit";
import { regionOver } from "../src/region.ts";
import { MemoryApi } from "./support/memory-api.ts";
import { silent } from "./support/silent.ts";

clusterContract(async () => {
  const connection = new MemoryApi().connection();
  const region = regionOver(connection, {
    name: "memory" as RegionName,
    log: silent,
    requestTimeoutMs: 1_000,
    lowerDeadlineMs: 2_000,
  });
  return {
    region,
    api: (method, path, body, contentType) =>
      connection.request(method, path, { body, ...(contentType === undefined ? {} : { contentType }) }),
    close: () => region.close(),
  };
});
