import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/**
 * slp_<kid>_<secret>_<crc>: kid finds the row, secret is 192 random bits, crc tells a mistyped token from a wrong one
 * without a look at the database. Only SHA-256 of the whole is stored.
 */
const shape = /^slp_([0-9a-z]{12})_([0-9a-f]{48})_([0-9a-f]{8})$/;

export type ParsedToken = { readonly kid: string; readonly hash: Buffer };

/** A new token from 30 random bytes. */
export function formatToken(random: Uint8Array): string {
  if (random.length !== 30) throw new RangeError("a token is made of 30 random bytes");
  const hex = Buffer.from(random).toString("hex");
  const body = `slp_${hex.slice(0, 12)}_${hex.slice(12)}`;
  return `${body}_${checksum(body)}`;
}

/** Undefined for what is no token, or one with a typing error. */
export function parseToken(token: string): ParsedToken | undefined {
  const match = shape.exec(token);
  const kid = match?.[1];
  if (kid === undefined || checksum(token.slice(0, token.lastIndexOf("_"))) !== match?.[3]) return undefined;
  return { kid, hash: hashToken(token) };
}

export function hashToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** The token of an Authorization header: `Bearer <token>`, or `Basic` with the token as password. */
export function tokenOfHeader(header: string | undefined): string | undefined {
  const [scheme, value, ...rest] = header?.split(/ +/) ?? [];
  if (scheme === undefined || value === undefined || rest.length > 0) return undefined;
  if (scheme.toLowerCase() === "bearer") return value;
  if (scheme.toLowerCase() !== "basic") return undefined;
  const [, ...password] = Buffer.from(value, "base64").toString("utf8").split(":");
  return password.length === 0 ? undefined : password.join(":");
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, "0");
}
