import type { KubeCall } from "./kube-api.ts";
import type { RealRegion } from "./kubernetes.ts";

const everyMs = 100;

type Pod = {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly deletionTimestamp?: string };
  readonly status: { readonly phase?: string };
};

/** A node of that name, and a scheduler that puts every pod there, but for those of a namespace that has a node of its own. */
export async function singleNode(
  { api }: RealRegion,
  name: string,
  { but }: { readonly but?: string } = {},
): Promise<{ stop(): Promise<void> }> {
  await api("POST", "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name } });
  return again(() => bindAll(api, name, but));
}

/** The same node with a kubelet that runs nothing: pods are ready as soon as they are made, each under an address of its own that nobody answers at. */
export async function readyNode(
  { api }: RealRegion,
  { name, prefix }: { readonly name: string; readonly prefix: string },
): Promise<{ stop(): Promise<void> }> {
  await api("POST", "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name } });
  let made = 0;
  const run = async (pod: Pod) => {
    const path = pathOf(pod);
    if (pod.metadata.deletionTimestamp !== undefined) return void (await api("DELETE", `${path}?gracePeriodSeconds=0`));
    if (pod.status.phase !== "Pending") return;
    made += 1;
    const ip = `${prefix}.${made >> 8}.${made & 255}`;
    const conditions = [{ type: "Ready", status: "True" }];
    const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions };
    await api("PATCH", `${path}/status`, { status }, "application/merge-patch+json");
  };
  return again(async () => {
    await bindAll(api, name);
    const pods = await podsWhere(api, `spec.nodeName%3D${name}`);
    // Somebody may have deleted it meanwhile.
    await Promise.all(pods.map((pod) => run(pod).catch(() => undefined)));
  });
}

async function bindAll(api: KubeCall, node: string, but?: string): Promise<void> {
  const bind = async (pod: Pod) => {
    const binding = { apiVersion: "v1", kind: "Binding", metadata: { name: pod.metadata.name } };
    const target = { apiVersion: "v1", kind: "Node", name: node };
    await api("POST", `${pathOf(pod)}/binding`, { ...binding, target }).catch(() => undefined);
  };
  const free = await podsWhere(api, "spec.nodeName%3D");
  await Promise.all(free.filter(({ metadata }) => metadata.namespace !== but).map(bind));
}

const pathOf = ({ metadata }: Pod) => `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`;

async function podsWhere(api: KubeCall, fields: string): Promise<readonly Pod[]> {
  const found = await api("GET", `/api/v1/pods?fieldSelector=${fields}`).catch(() => undefined);
  return (found as { readonly items: readonly Pod[] } | undefined)?.items ?? [];
}

/** Until it is stopped. */
function again(work: () => Promise<unknown>): { stop(): Promise<void> } {
  let going = true;
  const working = (async () => {
    while (going) {
      await work();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return {
    async stop() {
      going = false;
      await working;
    },
  };
}
