import { silentLogger } from "@slipway/sql";
import { executorContract, hasAddresses, realPart, runnerImage, startBuildsCluster } from "@slipway/testkit";
import { kubernetesExecutor, readKubernetesUrl } from "../src/index.ts";

const [etcd, kubernetes] = [realPart("etcd"), realPart("kubernetes")];
const parts = etcd && kubernetes ? { etcd, kubernetes } : undefined;
const missing = parts === undefined ? "no real Kubernetes" : hasAddresses() ? undefined : "no network of its own";

executorContract(
  "a Job on a real API server",
  async () => {
    const cluster = await startBuildsCluster(parts!);
    const place = readKubernetesUrl(
      `kubernetes://${cluster.real.kubeconfig}?start_seconds=60&image=${encodeURIComponent(runnerImage)}`,
    );
    const executor = await kubernetesExecutor(place, { secret: "a service's own token", log: silentLogger });
    return {
      executor,
      async close() {
        await executor.close();
        await cluster.stop();
      },
    };
  },
  missing,
);
