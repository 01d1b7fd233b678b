import { clusterContract, installedRegion, type RealRegion, realPart } from "@slipway/testkit";
import { afterAll, beforeAll, describe } from "vitest";
import { fenceOrdersContract } from "./support/fence-orders.contract.ts";
import { asAdmin, connectAs, regionOf } from "./support/real-region.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const parts = etcd && kubernetes && crds ? { etcd, kubernetes, crds } : undefined;

/** The very suites of the local region, over a real API server and with the rights that deploy/regions gives. */
describe.skipIf(parts === undefined)("a real Kubernetes", () => {
  let real: RealRegion;
  beforeAll(async () => {
    real = await installedRegion(parts!);
  });
  afterAll(() => real?.stop());

  describe("with the orchestrator's account", () => {
    clusterContract(async () => {
      const own = regionOf(await connectAs(real, "orchestrator"));
      return { region: own, api: real.api, close: () => own.close() };
    });
  });

  describe("where the rollback-controller's account lowers and repairs", () => {
    clusterContract(async () => {
      const own = regionOf(await connectAs(real, "orchestrator"));
      const lowering = regionOf(await connectAs(real, "rollbackController"));
      const { lower, repair } = lowering;
      return {
        region: { ...own, lower, repair },
        api: real.api,
        async close() {
          await own.close();
          await lowering.close();
        },
      };
    });
  });

  describe("with requests that are late, lost, refused or made at once:", () => {
    fenceOrdersContract(async () => {
      const connection = await connectAs(real, "orchestrator");
      const admin = await asAdmin(real);
      return {
        connection,
        admin,
        async close() {
          await connection.close();
          await admin.close();
        },
      };
    });
  });
});
