import { join } from "node:path";
import { readKubeconfig } from "@slipway/local-region";
import { Agent, request } from "undici";
import { z } from "zod";

const VirtualService = z.looseObject({
  metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).optional() }),
  spec: z.looseObject({
    http: z.array(
      z.looseObject({
        route: z.array(z.looseObject({ destination: z.object({ host: z.string() }), weight: z.number() })),
      }),
    ),
  }),
});

/** What a person does to a region's VirtualService with kubectl: the same calls, with the same kubeconfig. */
export type ByHand = {
  /** Weight by destination; null where the object is gone. */
  weights(): Promise<Readonly<Record<string, number>> | null>;
  annotations(): Promise<Readonly<Record<string, string>>>;
  /** Gives one version so much and the other destination with weight the rest. */
  setWeight(version: string, percent: number): Promise<void>;
  /** Null takes the annotation away. */
  annotate(name: string, value: string | null): Promise<void>;
  remove(): Promise<void>;
};

export async function byHand(dataDir: string, region: string): Promise<ByHand> {
  const { server, ca, token } = await readKubeconfig(join(dataDir, "regions", region, "api", "kubeconfig"));
  const dispatcher = new Agent({ connect: ca === undefined ? {} : { ca } });
  const headers = { authorization: `Bearer ${token}` };
  const url = `${server}/apis/networking.istio.io/v1/namespaces/prod/virtualservices/orders`;
  const call = async (method: "GET" | "PATCH" | "DELETE", body?: unknown): Promise<unknown> => {
    const type = { "content-type": "application/merge-patch+json" };
    const sent = body === undefined ? { headers } : { headers: { ...headers, ...type }, body: JSON.stringify(body) };
    const answer = await request(url, { method, dispatcher, ...sent });
    const found = await answer.body.json();
    if (answer.statusCode === 404) return null;
    if (answer.statusCode >= 300) throw new Error(`${method} answered ${answer.statusCode}: ${JSON.stringify(found)}`);
    return found;
  };
  const read = async () => {
    const found = await call("GET");
    return found === null ? null : VirtualService.parse(found);
  };
  const routes = async () => (await read())?.spec.http[0]?.route;
  return {
    async weights() {
      const found = await routes();
      return found === undefined ? null : Object.fromEntries(found.map((one) => [one.destination.host, one.weight]));
    },
    annotations: async () => (await read())?.metadata.annotations ?? {},
    async setWeight(version, percent) {
      const vs = await read();
      const [first, ...others] = vs?.spec.http ?? [];
      if (first === undefined) throw new Error("there is no route");
      const other = first.route.find(({ destination, weight }) => destination.host !== version && weight > 0);
      const weightOf = (host: string) =>
        host === version ? percent : host === other?.destination.host ? 100 - percent : 0;
      const route = first.route.map((one) => ({ ...one, weight: weightOf(one.destination.host) }));
      await call("PATCH", { spec: { http: [{ ...first, route }, ...others] } });
    },
    annotate: async (name, value) => void (await call("PATCH", { metadata: { annotations: { [name]: value } } })),
    remove: async () => void (await call("DELETE")),
  };
}
