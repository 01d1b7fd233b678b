import { columnsOf } from "./columns.ts";
import type { Resource } from "./resources.ts";
import type { Stored } from "./stored.ts";

export type IncludeObject = "None" | "Metadata" | "Object";

/** Whether the caller asks for a table before it asks for the objects themselves. */
export function wantsTable(accept: string): boolean {
  const [first = ""] = accept.split(",");
  return /;\s*as=Table\b/.test(first) && /;\s*g=meta\.k8s\.io\b/.test(first) && /;\s*v=v1\b/.test(first);
}

/** `meta.k8s.io/v1` Table: what `kubectl get` prints. */
export function tableOf(
  resource: Resource,
  objects: readonly Stored[],
  options: { readonly include: IncludeObject; readonly resourceVersion?: string; readonly now: number },
): object {
  const columns = columnsOf(resource);
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion },
    columnDefinitions: columns.map(({ name, type, format = "", priority }) => ({
      ...{ name, type, format, priority },
      description: "",
    })),
    rows: objects.map((object) => ({
      cells: columns.map(({ cell }) => cell(object, options.now)),
      ...shownObject(object, options.include),
    })),
  };
}

function shownObject(object: Stored, include: IncludeObject): { object?: object } {
  if (include === "None") return {};
  if (include === "Object") return { object };
  const { metadata } = object;
  return { object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata } };
}
