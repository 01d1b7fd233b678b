import { hkdfSync } from "node:crypto";
import { z } from "zod";

/** A master key, known by an id that tells nothing of it. */
export type SecretKey = { readonly id: string; readonly bytes: Buffer };

const keyBytes = 32;
const oneOf = "32 random bytes in base64 or hex; `openssl rand -base64 32` makes one";

/** A key from its text; undefined for anything but exactly 32 bytes. */
export function parseKey(text: string): SecretKey | undefined {
  const bytes = decode(text.trim());
  if (bytes?.length !== keyBytes) return undefined;
  return { id: derive(bytes, "slipway secrets: id of a key", 6).toString("hex"), bytes };
}

function decode(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, "base64") : undefined;
}

/** A key for one purpose: who knows it learns nothing of the master key or of the keys of others. */
export function derive(master: Buffer, purpose: string, length: number): Buffer {
  return Buffer.from(hkdfSync("sha256", master, "", purpose, length));
}

const Key = z.string().transform((text, context) => {
  const key = parseKey(text);
  if (key !== undefined) return key;
  context.addIssue({ code: "custom", message: `is not a key: ${oneOf}` });
  return z.NEVER;
});

/** The part of a service's configuration that holds keys. */
export const SecretKeys = z.object({
  /** What values are encrypted with. Default: the file `secrets/values.key` of the data folder, made where there is none. */
  SLIPWAY_SECRETS_KEY: Key.optional(),
  /** Former keys, comma separated, with which values may still be encrypted. */
  SLIPWAY_SECRETS_OLD_KEYS: z
    .string()
    .transform((text) => text.split(",").filter((part) => part.trim() !== ""))
    .pipe(z.array(Key))
    .optional(),
});
export type SecretKeys = z.infer<typeof SecretKeys>;
