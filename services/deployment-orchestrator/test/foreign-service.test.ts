import { afterAll, beforeAll, expect, test } from "vitest";
import { gitSha, type OrchestratorHost, startHost } from "./support/host.ts";

let platform: OrchestratorHost;
beforeAll(async () => {
  platform = await startHost();
});
afterAll(() => platform.close());

test.each([
  [{ app: "orders" }, "app=orders"],
  [undefined, "nobody by labels"],
])(
  "a Service that is not Slipway's, with the selector %j, is told by name and left alone",
  async (selector, selected) => {
    const environment = selector === undefined ? "dev" : "staging";
    const namespace = `/api/v1/namespaces/${environment}`;
    const labels = { "app.kubernetes.io/managed-by": "slipway" };
    await platform.fetch(`/api/v1/services/orders/environments/staging/secrets/DB_URL`, {
      ...{ method: "PUT", as: "deployer", body: { value: "postgres://db" } },
    });
    await platform.kube("/api/v1/namespaces", {
      ...{ apiVersion: "v1", kind: "Namespace", metadata: { name: environment, labels } },
    });
    const spec = { ...(selector === undefined ? {} : { selector }), ports: [{ name: "web", port: 8080 }] };
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "orders" }, spec };
    expect((await platform.kube(`${namespace}/services`, service)).status).toBe(201);
    const before = await platform.kube(`${namespace}/services/orders`);

    const answer = await platform.fetch("/api/v1/deployments", {
      ...{ method: "POST", as: "deployer" },
      body: { service: "orders", version: gitSha, strategy: "canary", environment, confirm_initial: true },
    });

    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({
      code: "service.foreign",
      detail: expect.stringContaining(
        `here has a Service orders in ${environment} that is not Slipway's: it selects ${selected},`,
      ),
      remedy: expect.stringContaining(`kubectl delete service orders -n ${environment}`),
    });
    expect(await platform.kube(`${namespace}/services/orders`)).toEqual(before);
  },
);
