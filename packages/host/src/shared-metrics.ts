import { type MetricShape, metricShapes } from "@slipway/metrics";

/** Of an entry of the regions file what says where its metrics are. */
type Measured = {
  readonly name: string;
  readonly metrics_url: string | undefined;
  readonly metrics_shape?: MetricShape | undefined;
  readonly metrics_token_file?: string | undefined;
};

/**
 * Two regions that read the same series, as a sentence that says what to do; undefined: there are none. Each request would count once for either, and
 * one whose mesh is scraped no more would look alive by the other's samples.
 */
export function sharedMetrics(regions: readonly Measured[]): string | undefined {
  for (const [index, region] of regions.entries()) {
    const other = regions.slice(0, index).find((before) => isSameSource(before, region) && !areApart(before, region));
    if (other !== undefined) return sentence(index, region, other);
  }
  return undefined;
}

function sentence(index: number, region: Measured, other: Measured): string {
  const what = `${index}.metrics_url: the regions ${other.name} and ${region.name} read the same series`;
  return region.metrics_url?.startsWith("prometheus:")
    ? `${what}, so that each request would count in both: give each \`metrics_labels\` with a label that its own series alone have, e.g. { cluster: ${region.name} }, or a Prometheus of its own`
    : `${what}, so that each request would count in both: name the mesh proxy of each`;
}

const isSameSource = (one: Measured, other: Measured) =>
  one.metrics_url !== undefined &&
  other.metrics_url !== undefined &&
  one.metrics_token_file === other.metrics_token_file &&
  sourceOf(one.metrics_url) === sourceOf(other.metrics_url);

/** Without the password. The user is a part of it, and so is the token: in front of a store of many tenants each has its own. */
function sourceOf(url: string): string {
  const [scheme = ""] = url.split(":", 1);
  const inner = new URL(url.slice(scheme.length + 1));
  inner.password = "";
  inner.pathname = inner.pathname.replace(/\/+$/, "");
  return `${scheme}:${inner.href}`;
}

/** Whether no series is counted for both, and none shows both of them to be scraped. A page of a proxy has no labels that could tell them apart. */
function areApart(one: Measured, other: Measured): boolean {
  if (one.metrics_url?.startsWith("scrape:")) return false;
  const [a, b] = [one.metrics_shape ?? metricShapes.istio, other.metrics_shape ?? metricShapes.istio];
  const differ = (labelsOf: (shape: MetricShape) => Labels) =>
    haveOther({ ...labelsOf(a), ...a.everywhere }, { ...labelsOf(b), ...b.everywhere });
  return (
    (a.requests !== b.requests || differ((shape) => shape.labels)) &&
    (a.alive.name !== b.alive.name || differ((shape) => shape.alive.labels))
  );
}

type Labels = Readonly<Record<string, string>>;

/** A series has one value of a label: who asks for different ones never meets the other's. */
function haveOther(one: Labels, other: Labels): boolean {
  return Object.entries(one).some(([label, value]) => other[label] !== undefined && other[label] !== value);
}
