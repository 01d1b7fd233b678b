import { executorContract } from "@slipway/testkit";
import { machineExecutor, probeIsolation } from "../src/index.ts";

for (const method of ["bubblewrap", "namespaces"] as const) {
  const isolation = await probeIsolation({ method });
  executorContract(
    method,
    async () => {
      if (isolation.kind === "refused") throw new Error(isolation.reason);
      return { executor: machineExecutor(isolation), close: async () => undefined };
    },
    isolation.kind === "refused" ? isolation.reason : undefined,
  );
}
