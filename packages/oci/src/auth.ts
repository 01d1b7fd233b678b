import { OciError } from "./errors.ts";

export type RegistryAuth = { readonly username: string; readonly password: string };

/** Credentials that a registry issues for some time. Its methods throw OciError. */
export type AuthSource = {
  /** Those of now, renewed before they end. */
  current(signal: AbortSignal): Promise<RegistryAuth>;
  /** The registry did not take what was current at that moment of `performance.now()`: it is not given again. */
  refused(at: number): void;
};

export type Credentials = RegistryAuth | AuthSource;

/** The source where credentials can be renewed, undefined where they are what they are. */
export function renewable(credentials: Credentials | undefined): AuthSource | undefined {
  return credentials !== undefined && "current" in credentials ? credentials : undefined;
}

export async function authOf(
  credentials: Credentials | undefined,
  signal: AbortSignal,
): Promise<RegistryAuth | undefined> {
  return credentials !== undefined && "current" in credentials ? credentials.current(signal) : credentials;
}

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
  // A mount asks for two: each is a parameter of its own.
  for (const one of (challenge.scope ?? scope).split(" ")) url.searchParams.append("scope", one);
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
