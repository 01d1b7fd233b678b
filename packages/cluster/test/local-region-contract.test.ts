import type { RegionName } from "@slipway/kernel";
import { clusterContract } from "@slipway/testkit";
import { openRegion } from "../src/region.ts";
import { localApi } from "./support/local-api.ts";
import { silent } from "./support/silent.ts";

/** The very code that drives a real cluster, from the kubeconfig on, against the API server of a local region. */
clusterContract(async () => {
  const api = await localApi();
  const { kubeconfig, context } = api;
  const region = await openRegion({ name: "us-east-1" as RegionName, kubeconfig, context, log: silent });
  const connection = await api.open();
  return {
    region,
    api: (method, path, body, contentType) =>
      connection.request(method, path, { body, ...(contentType === undefined ? {} : { contentType }) }),
    async close() {
      await region.close();
      await api.close();
    },
  };
});
