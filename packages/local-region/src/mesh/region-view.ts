import { createKubeClient } from "../kube/client.ts";
import { type Following, follow, type KubeObject } from "../kube/follow.ts";
import { readKubeconfig } from "../kube/kubeconfig.ts";
import { readReadyPod, readService, readVirtualService } from "./objects.ts";
import type { RouteInputs } from "./routes.ts";
import type { MeshOptions } from "./types.ts";

const paths = {
  services: "/api/v1/services",
  pods: "/api/v1/pods",
  virtualServices: "/apis/networking.istio.io/v1/virtualservices",
} as const;

/** Follows the region's objects. Calls back only once all kinds are known, so that no route is missing its half. */
export async function followRegion(
  { kubeconfig, log, random = Math.random }: MeshOptions,
  onChange: (inputs: RouteInputs) => void,
): Promise<Following> {
  const client = createKubeClient(await readKubeconfig(kubeconfig));
  const known: { -readonly [K in keyof RouteInputs]?: RouteInputs[K] } = {};
  const read = <T>(objects: ReadonlyMap<string, KubeObject>, one: (object: KubeObject) => T | undefined): T[] =>
    [...objects.values()].flatMap((object) => {
      try {
        return one(object) ?? [];
      } catch (error) {
        log.warn({ object: object.metadata.name, message: (error as Error).message }, "object cannot be routed by");
        return [];
      }
    });
  const changed = (): void => {
    const { services, pods, virtualServices } = known;
    if (services !== undefined && pods !== undefined && virtualServices !== undefined) {
      onChange({ services, pods, virtualServices });
    }
  };
  const follows = [
    follow({
      ...{ client, log, random, path: paths.services },
      onChange: (objects) => {
        known.services = read(objects, readService);
        changed();
      },
    }),
    follow({
      ...{ client, log, random, path: paths.pods },
      onChange: (objects) => {
        known.pods = read(objects, readReadyPod);
        changed();
      },
    }),
    follow({
      ...{ client, log, random, path: paths.virtualServices },
      onChange: (objects) => {
        known.virtualServices = read(objects, readVirtualService);
        changed();
      },
    }),
  ];
  return {
    async stop() {
      await Promise.all(follows.map((following) => following.stop()));
      client.close();
    },
  };
}
