import { type Connection, reflect } from "../../../packages/cluster/src/index.ts";
import { silentLogger } from "../../../packages/sql/src/index.ts";

type Pod = {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly phase?: string };
};

const node = "machine";
const mergePatch = "application/merge-patch+json";
const pathOf = ({ metadata }: Pod) => `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`;

/**
 * A scheduler and a kubelet that runs nothing: pods are ready as soon as they are made. By a watch, since who asks all the time takes a part of the two cores from
 * what is measured; real kubelets have machines of their own.
 */
export async function readyPods(connection: Connection): Promise<{ stop(): Promise<void> }> {
  const body = { apiVersion: "v1", kind: "Node", metadata: { name: node } };
  await connection.request("POST", "/api/v1/nodes", { body });
  let made = 0;
  const run = async (pod: Pod): Promise<void> => {
    const path = pathOf(pod);
    if (pod.metadata.deletionTimestamp !== undefined) {
      await connection.request("DELETE", path, { query: { gracePeriodSeconds: "0" } });
    } else if (pod.spec.nodeName === undefined) {
      const binding = { apiVersion: "v1", kind: "Binding", metadata: { name: pod.metadata.name } };
      const to = { apiVersion: "v1", kind: "Node", name: node };
      await connection.request("POST", `${path}/binding`, { body: { ...binding, target: to } });
    } else if (pod.status.phase === "Pending") {
      made += 1;
      const ip = `10.90.${made >> 8}.${made & 255}`;
      const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], ...readiness(true) };
      await connection.request("PATCH", `${path}/status`, { body: { status }, contentType: mergePatch });
    }
  };
  // What is refused was about a pod that somebody has changed meanwhile: that change is told, too.
  const take = (object: unknown) => void run(object as Pod).catch(() => undefined);
  return reflect({
    ...{ connection, path: "/api/v1/pods", log: silentLogger, random: Math.random },
    onReplace: (items) => items.forEach(take),
    onChange: (type, object) => type === "upserted" && take(object),
  });
}

/** One pod of the version is ready no more, or is again. */
export async function turnReady(
  connection: Connection,
  { environment, version }: { readonly environment: string; readonly version: string },
  ready: boolean,
): Promise<void> {
  const pods = (await connection.request("GET", `/api/v1/namespaces/${environment}/pods`)) as {
    readonly items: readonly Pod[];
  };
  const [pod] = pods.items.filter(({ metadata }) => metadata.name.startsWith(version));
  if (pod === undefined) throw new Error(`${connection.region} has no pod of ${version}`);
  const body = { status: readiness(ready) };
  await connection.request("PATCH", `${pathOf(pod)}/status`, { body, contentType: mergePatch });
}

const readiness = (ready: boolean) => ({ conditions: [{ type: "Ready", status: ready ? "True" : "False" }] });
