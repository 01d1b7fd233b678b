import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { ProblemError } from "@slipway/contracts";
import { derive, type SecretKey } from "./keys.ts";

/** Where a value belongs. A box that is moved to another place does not open there. */
export type Place = {
  readonly service: string;
  readonly scope: string;
  readonly name: string;
  readonly revision: string;
};

/** An encrypted value: nonce (12 bytes), ciphertext, tag (16 bytes); and with which key. */
export type Sealed = { readonly keyId: string; readonly box: Buffer };

export type Keyring = {
  /** Id of the key that new values are encrypted with; undefined while there is none. */
  readonly current: string | undefined;
  has(keyId: string): boolean;
  /** Throws secret.key_missing. */
  seal(place: Place, value: string): Sealed;
  /** Throws secret.key_missing, or secret.unreadable for what was changed or moved. */
  open(place: Place, sealed: Sealed): string;
};

export type KeyringOptions = {
  /** Whose values: each owner has a key of its own, derived from the master key. */
  readonly owner: string;
  readonly current: SecretKey | undefined;
  readonly old: readonly SecretKey[];
  /** For the remedy: where a key that is missing would be given. */
  readonly file: string;
  /** Nonces. Default: the system's random source. */
  readonly random?: (bytes: number) => Buffer;
};

const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM with a random nonce for each value. With one key, up to 2^32 values are safe. */
export function keyring({ owner, current, old, file, random = randomBytes }: KeyringOptions): Keyring {
  const known = new Map<string, Buffer>();
  for (const { id, bytes } of [...(current === undefined ? [] : [current]), ...old]) {
    known.set(id, derive(bytes, `slipway secrets: values of ${owner}`, 32));
  }
  const missing = (what: string): ProblemError =>
    new ProblemError("secret.key_missing", what, {
      remedy: `Give the key back, in SLIPWAY_SECRETS_KEY or in ${file}, or as a former one in SLIPWAY_SECRETS_OLD_KEYS, and start again: nothing is lost. Or set the secret anew.`,
    });
  return {
    current: current?.id,
    has: (keyId) => known.has(keyId),
    seal(place, value) {
      const key = current === undefined ? undefined : known.get(current.id);
      if (current === undefined || key === undefined) throw missing("There is no key to encrypt a secret with.");
      const nonce = random(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
      cipher.setAAD(boundTo(owner, current.id, place));
      const box = Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return { keyId: current.id, box };
    },
    open(place, { keyId, box }) {
      const key = known.get(keyId);
      const what = `${place.name} of ${place.service} (${place.scope})`;
      if (key === undefined) throw missing(`${what} was encrypted with the key ${keyId}, which is not there.`);
      try {
        return decrypt(key, boundTo(owner, keyId, place), box);
      } catch {
        // What the library says of it leads nowhere, and may not carry bytes of a value.
        throw new ProblemError("secret.unreadable", `${what} is not what was encrypted: it was changed or moved.`, {
          remedy: "Set the secret anew, and find out who writes to the database.",
        });
      }
    },
  };
}

function decrypt(key: Buffer, aad: Buffer, box: Buffer): string {
  if (box.length < nonceBytes + tagBytes) throw new RangeError("too short");
  const decipher = createDecipheriv("aes-256-gcm", key, box.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(aad);
  decipher.setAuthTag(box.subarray(-tagBytes));
  const text = Buffer.concat([decipher.update(box.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  return text.toString("utf8");
}

/** JSON, so that no two places have the same text. */
function boundTo(owner: string, keyId: string, { service, scope, name, revision }: Place): Buffer {
  return Buffer.from(JSON.stringify(["slipway secret 1", keyId, owner, service, scope, name, revision]));
}
