import { z } from "zod";
import { nearest } from "./nearest.ts";

/** Bases that the platform makes itself, from its own machine. */
export const builtInBases = ["node24", "python3", "static"] as const;
export type BuiltInBase = (typeof builtInBases)[number];

export function isBuiltInBase(base: string): base is BuiltInBase {
  return builtInBases.some((name) => name === base);
}

const host = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?$/i;
const path = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tag = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const digest = /^sha256:[0-9a-f]{64}$/;

/** An OCI image as people write it, with nothing left out: `node:24` is `docker.io`, `library/node`, `24`. */
export type ImageName = {
  readonly host: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
};

/**
 * Reads `[host[:port]/]name[:tag][@sha256:…]` by Docker's rules: the first part is a host where it has a dot or a port or is
 * `localhost`, else the image is Docker Hub's. Undefined where it is no image; a name with neither tag nor digest is none, because what
 * it stands for is nobody's decision.
 */
export function readImageName(text: string): ImageName | undefined {
  const [named = "", pinned, ...more] = text.split("@");
  if (more.length > 0 || (pinned !== undefined && !digest.test(pinned))) return undefined;
  const [given, rest] = splitHost(named);
  if (given !== undefined && !host.test(given)) return undefined;
  const [name = "", tagged, ...others] = rest.split(":");
  if (others.length > 0 || (tagged ?? pinned) === undefined || (tagged !== undefined && !tag.test(tagged)))
    return undefined;
  if (name.length > 255 || !path.test(name)) return undefined;
  const from = given ?? "docker.io";
  const repository = from === "docker.io" && !name.includes("/") ? `library/${name}` : name;
  return { host: from, repository, tag: tagged, digest: pinned };
}

function splitHost(named: string): [host: string | undefined, rest: string] {
  const slash = named.indexOf("/");
  const first = slash === -1 ? "" : named.slice(0, slash);
  return /[.:]/.test(first) || first === "localhost" ? [first, named.slice(slash + 1)] : [undefined, named];
}

const hint = "write it with its tag or digest, like node:24, ghcr.io/me/tools:1.2 or python@sha256:<64 hex digits>";

export const ImageNameSchema = z
  .string()
  .max(600)
  .refine((text) => readImageName(text) !== undefined, `not an image of a registry: ${hint}`);

export const ImageBaseSchema = z
  .string()
  .max(600)
  .refine((text) => isBuiltInBase(text) || readImageName(text) !== undefined, {
    error: ({ input }) => `neither ${builtInBases.join(", ")} nor an image of a registry${baseHint(input)}`,
  });

/** The built-in base that was meant, where one is near; what is far from all of them was meant as an image. */
function baseHint(written: unknown): string {
  const meant = typeof written === "string" ? nearest(written, builtInBases) : "";
  return meant === "" ? `: ${hint}` : `${meant} An image: ${hint}`;
}
