import { z } from "zod";
import type { Connection } from "./connection.ts";
import { ApiStatus } from "./errors.ts";

const webhooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

const Selector = z.looseObject({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z
    .array(z.looseObject({ key: z.string(), operator: z.string(), values: z.array(z.string()).optional() }))
    .optional(),
});
type Selector = z.infer<typeof Selector>;
const Configurations = z.looseObject({
  items: z.array(
    z.looseObject({
      webhooks: z
        .array(
          z.looseObject({
            name: z.string(),
            namespaceSelector: Selector.optional(),
            objectSelector: Selector.optional(),
          }),
        )
        .optional(),
    }),
  ),
});

type Labels = Readonly<Record<string, string>>;

/** Who puts sidecars into the pods of a region. */
export type Injectors = {
  /** Whether pods of a namespace with these labels get one. */
  readonly heed: (labels: Labels) => boolean;
  /** The values of `istio.io/rev` that are heeded. */
  readonly revisions: readonly string[];
};

/** Undefined where this account may not look at webhooks, or none goes by the name that Istio gives its own. */
export async function injectorsOf(connection: Connection): Promise<Injectors | undefined> {
  const answer = await connection.request("GET", webhooks).catch((error: unknown) => {
    if (error instanceof ApiStatus) return undefined;
    throw error;
  });
  return injectorsIn(answer);
}

export function injectorsIn(list: unknown): Injectors | undefined {
  const read = Configurations.safeParse(list);
  if (!read.success) return undefined;
  const own = read.data.items
    .flatMap((one) => one.webhooks ?? [])
    .filter(({ name }) => name.endsWith("sidecar-injector.istio.io"));
  if (own.length === 0) return undefined;
  // A pod of Slipway's has no label of Istio's, by which it could ask for a sidecar or against one.
  const forAll = own.filter(({ objectSelector }) => selects(objectSelector, {}));
  return {
    heed: (labels) => forAll.some(({ namespaceSelector }) => selects(namespaceSelector, labels)),
    revisions: [...new Set(forAll.flatMap(({ namespaceSelector }) => revisionsOf(namespaceSelector)))].sort(),
  };
}

function revisionsOf({ matchLabels = {}, matchExpressions = [] }: Selector = {}): readonly string[] {
  const revision = "istio.io/rev";
  const named = matchExpressions.filter(({ key, operator }) => key === revision && operator === "In");
  const one = matchLabels[revision];
  return [...(one === undefined ? [] : [one]), ...named.flatMap(({ values = [] }) => values)];
}

/** By the rules of a LabelSelector: an empty one, or none, selects everything. */
function selects({ matchLabels = {}, matchExpressions = [] }: Selector = {}, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === "Exists") return value !== undefined;
      if (operator === "DoesNotExist") return value === undefined;
      const isIn = value !== undefined && values.includes(value);
      return operator === "In" ? isIn : !isIn;
    })
  );
}

/** The label by which a namespace asks for sidecars: of one revision of Istio, or of the one that stands for all that name none. */
export function sidecarLabel(revision: string | undefined): Record<string, string> {
  return revision === undefined ? { "istio-injection": "enabled" } : { "istio.io/rev": revision };
}

/** The same as arguments of `kubectl label`. Where a namespace has both labels, the revision counts for nothing. */
export function sidecarArguments(revision: string | undefined): string {
  return revision === undefined ? "istio-injection=enabled" : `istio-injection- istio.io/rev=${revision}`;
}
