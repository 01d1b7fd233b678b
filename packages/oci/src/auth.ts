import { OciError } from "./errors.ts";

export type Challenge =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly realm: string; readonly service?: string; readonly scope?: string };

/** Reads a WWW-Authenticate header. Undefined for a scheme this client does not speak. */
export function parseChallenge(header: string): Challenge | undefined {
  const scheme = /^\s*([A-Za-z]+)/.exec(header)?.[1]?.toLowerCase();
  if (scheme === "basic") return { scheme: "basic" };
  if (scheme !== "bearer") return undefined;
  const parameters: Record<string, string> = {};
  for (const match of header.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/gi)) {
    parameters[(match[1] ?? "").toLowerCase()] = (match[2] ?? "").replaceAll(/\\(.)/g, "$1");
  }
  const { realm, service, scope } = parameters;
  if (realm === undefined) return undefined;
  return {
    scheme: "bearer",
    realm,
    ...(service === undefined ? {} : { service }),
    ...(scope === undefined ? {} : { scope }),
  };
}

/** The URL to ask a token from. */
export function tokenUrl(challenge: Extract<Challenge, { scheme: "bearer" }>, scope: string): URL {
  const url = new URL(challenge.realm);
  if (challenge.service !== undefined) url.searchParams.set("service", challenge.service);
  url.searchParams.set("scope", challenge.scope ?? scope);
  return url;
}

/** The password goes to https, or over plain http only where the registry itself is spoken to that way on the same host. */
export function refuseLeak(realm: URL, registry: URL): void {
  const sameHost = realm.hostname === registry.hostname && registry.protocol === "http:";
  if (realm.protocol === "https:" || (realm.protocol === "http:" && sameHost)) return;
  throw new OciError(
    "refused",
    `the registry names a token server the password would not be safe with: ${realm.origin}`,
  );
}

export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}
