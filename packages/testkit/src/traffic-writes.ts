import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** What one write left on the VirtualService of the service, in the order of the writes. */
export type TrafficWrite = {
  readonly epoch: number;
  readonly seq: number;
  readonly gate: string;
  readonly deployment: string;
  /** Weight by destination host. */
  readonly weights: Readonly<Record<string, number>>;
};

const Frame = z.array(
  z.object({
    type: z.string(),
    object: z.looseObject({
      kind: z.string(),
      metadata: z.looseObject({ name: z.string(), annotations: z.record(z.string(), z.string()).optional() }),
      spec: z.unknown().optional(),
    }),
  }),
);
const Routes = z.object({
  http: z.array(
    z.object({
      route: z.array(z.object({ destination: z.object({ host: z.string() }), weight: z.number().optional() })),
    }),
  ),
});

/** Reads them from the own journal of a local region, which nobody but its API writes. `apiDir`: the API's folder. */
export function trafficWrites(apiDir: string): readonly TrafficWrite[] {
  const journal = readFileSync(join(apiDir, "objects", "journal"), "utf8");
  return journal
    .split("\n")
    .filter((line) => line.endsWith("]"))
    .flatMap((line) => Frame.parse(JSON.parse(line.slice(line.indexOf(" ") + 1))))
    .filter(({ type, object }) => type === "put" && object.kind === "VirtualService")
    .map(({ object }) => writeOf(object.metadata.annotations?.["slipway.dev/fence"] ?? "", object.spec));
}

function writeOf(fence: string, spec: unknown): TrafficWrite {
  const [epoch, seq, gate = "", deployment = ""] = fence.split("/");
  const routes = Routes.parse(spec).http.flatMap((http) => http.route);
  const alone = routes.length === 1;
  return {
    epoch: Number(epoch),
    seq: Number(seq),
    gate,
    deployment,
    weights: Object.fromEntries(routes.map((route) => [route.destination.host, alone ? 100 : (route.weight ?? 0)])),
  };
}
