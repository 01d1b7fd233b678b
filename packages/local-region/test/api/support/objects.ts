import type { Send } from "./region.ts";

export const configMaps = "/api/v1/namespaces/prod/configmaps";
export const podsPath = "/api/v1/namespaces/prod/pods";
export const deploymentsPath = "/apis/apps/v1/namespaces/prod/deployments";
export const virtualServices = "/apis/networking.istio.io/v1/namespaces/prod/virtualservices";

export function configMap(name: string, data: Record<string, string> = {}, metadata: object = {}) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, data };
}

export function pod(name: string, metadata: object = {}, spec: object = {}) {
  const containers = [
    { name: "app", image: "localhost/orders@sha256:00", ports: [{ name: "http", containerPort: 8080 }] },
  ];
  return { apiVersion: "v1", kind: "Pod", metadata: { name, ...metadata }, spec: { containers, ...spec } };
}

export function deployment(name: string, replicas: number, image = "localhost/orders@sha256:00") {
  const labels = { app: "orders", version: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: pod(name, {}, { containers: [{ name: "app", image }] }).spec },
    },
  };
}

export function service(name: string, selector: Record<string, string>) {
  const ports = [{ name: "http", port: 80, targetPort: "http" }];
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector, ports } };
}

export function virtualService(name: string, weights: Record<string, number>, annotations: object = {}) {
  const route = Object.entries(weights).map(([host, weight]) => ({ destination: { host }, weight }));
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name, annotations },
    spec: { hosts: [name], http: [{ name: "slipway", route }] },
  };
}

/** What the node agent reports of a pod that answers its probe. */
export async function reportReady(send: Send, name: string, port: number, ready = true): Promise<void> {
  const path = `${podsPath}/${name}`;
  const merge = { "content-type": "application/merge-patch+json" };
  const at = "2026-01-01T00:00:00Z";
  await send("PATCH", path, { metadata: { annotations: { "slipway.dev/port": String(port) } } }, merge);
  await send(
    "PATCH",
    `${path}/status`,
    {
      status: {
        phase: "Running",
        podIP: "127.0.0.1",
        conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: at }],
        containerStatuses: [
          {
            ...{ name: "app", ready, restartCount: 0, started: true, imageID: "", image: "localhost/orders@sha256:00" },
            ...{ state: { running: { startedAt: at } }, lastState: {} },
          },
        ],
      },
    },
    merge,
  );
}

/** Finishes pods that are to end, as the node agent does. */
export async function reportEnded(send: Send): Promise<void> {
  const { body } = await send("GET", podsPath);
  for (const { metadata } of body.items.filter((item) => item.metadata.deletionTimestamp !== undefined)) {
    await send("DELETE", `${podsPath}/${metadata.name}`, {
      gracePeriodSeconds: 0,
      preconditions: { uid: metadata.uid },
    });
  }
}
