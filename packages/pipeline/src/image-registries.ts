import { type RegistryAccess, registryProblem } from "@slipway/oci";

/** How registries are reached, by the host that images name. */
export type ImageRegistries = Readonly<Record<string, RegistryAccess>>;

/**
 * Reads `SLIPWAY_IMAGE_REGISTRIES`: `<host>=<url>`, comma-separated, a mirror of a registry or the registry itself, with what its URL says as
 * credentials: `docker.io=https://mirror.example,ghcr.io=https://me:token@ghcr.io`. Throws for anything else, without repeating a password.
 */
export function parseImageRegistries(text: string): ImageRegistries {
  const parts = text.split(",").map((part) => part.trim());
  return Object.fromEntries(parts.filter((part) => part !== "").map(parsePart));
}

function parsePart(part: string): [string, RegistryAccess] {
  const at = part.indexOf("=");
  const host = part.slice(0, Math.max(at, 0));
  const given = part.slice(at + 1);
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (host === "" || url === undefined || !/^https?:$/.test(url.protocol)) {
    const example = "docker.io=https://mirror.example,ghcr.io=https://me:token@ghcr.io";
    throw new Error(`SLIPWAY_IMAGE_REGISTRIES: ${host || "a part"} has no URL; it looks like ${example}`);
  }
  const auth = { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  url.username = "";
  url.password = "";
  return [host, { url: url.href, ...(auth.password === "" ? {} : { auth }) }];
}

/** What keeps the registries of `SLIPWAY_IMAGE_REGISTRIES` from being asked, a sentence each. Never rejects: text that cannot be read is one of them. */
export async function imageRegistryProblems(text: string): Promise<readonly string[]> {
  const variable = "SLIPWAY_IMAGE_REGISTRIES";
  try {
    const found = Object.entries(parseImageRegistries(text)).map(([host, access]) =>
      registryProblem(host, access, variable),
    );
    return (await Promise.all(found)).filter((problem) => problem !== undefined);
  } catch (error) {
    return [error instanceof Error ? error.message : `${variable} cannot be read: correct it`];
  }
}
