import { SlipwayFile } from "@slipway/contracts";
import { z } from "zod";

type Node = {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
};

let made: Node | undefined;

/** The keys that slipway.yaml may have at a path; empty where any key may stand. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  made ??= z.toJSONSchema(SlipwayFile, { io: "input", unrepresentable: "any", reused: "inline" }) as Node;
  let node: Node | undefined = made;
  for (const part of path) {
    const other: Node | boolean | undefined = node?.additionalProperties;
    node = typeof part === "number" ? node?.items : (node?.properties?.[String(part)] ?? asNode(other));
  }
  return Object.keys(node?.properties ?? {});
}

function asNode(found: Node | boolean | undefined): Node | undefined {
  return typeof found === "object" ? found : undefined;
}
