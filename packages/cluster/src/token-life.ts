import { z } from "zod";

/** From when to when a token is good. */
export type TokenLife = { readonly issuedAtMs: number; readonly expiresAtMs: number };

/** The claims of RFC 7519, in seconds. */
const Claims = z.looseObject({ iat: z.number(), exp: z.number() });

/** Of a bearer token that says so itself, as those of service accounts do; undefined where it does not. */
export function tokenLifeOf(headers: Readonly<Record<string, string>>): TokenLife | undefined {
  const [, value = ""] = Object.entries(headers).find(([name]) => name.toLowerCase() === "authorization") ?? [];
  const [, payload] = /^Bearer [\w-]+\.([\w-]+)\.[\w-]*$/.exec(value) ?? [];
  if (payload === undefined) return undefined;
  try {
    const { iat, exp } = Claims.parse(JSON.parse(Buffer.from(payload, "base64url").toString()));
    return exp > iat ? { issuedAtMs: iat * 1_000, expiresAtMs: exp * 1_000 } : undefined;
  } catch {
    return undefined;
  }
}
