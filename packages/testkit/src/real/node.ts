import type { RealRegion } from "./kubernetes.ts";

const everyMs = 100;

type Pods = { readonly items: readonly { readonly metadata: { readonly name: string; readonly namespace: string } }[] };

/** A node of that name, and a scheduler that puts every pod there, as there is no other. */
export async function singleNode({ api }: RealRegion, name: string): Promise<{ stop(): Promise<void> }> {
  await api("POST", "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name } });
  let going = true;
  const bind = async ({ metadata }: Pods["items"][number]) => {
    const binding = { apiVersion: "v1", kind: "Binding", metadata: { name: metadata.name } };
    const target = { apiVersion: "v1", kind: "Node", name };
    // Somebody may have deleted it meanwhile.
    await api("POST", `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/binding`, {
      ...binding,
      target,
    }).catch(() => undefined);
  };
  const looking = (async () => {
    while (going) {
      const found = await api("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3D").catch(() => undefined);
      await Promise.all(((found as Pods | undefined)?.items ?? []).map(bind));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return {
    async stop() {
      going = false;
      await looking;
    },
  };
}
