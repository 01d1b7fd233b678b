import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { systemClock } from "@slipway/kernel";
import { openSecrets, SecretKeys, type SecretStore } from "@slipway/secrets";
import { type Db, silentLogger } from "@slipway/sql";
import type { Tables } from "../../src/store.ts";

/** The real store of pods' secrets, with a key of its own that is written nowhere. */
export function testSecrets(db: Db<Tables>): Promise<SecretStore> {
  const keys = SecretKeys.parse({ SLIPWAY_SECRETS_KEY: randomBytes(32).toString("base64") });
  return openSecrets({
    ...{ db, keys, owner: "deployment", dataDir: tmpdir(), keepMs: 60_000 },
    ...{ clock: systemClock, log: silentLogger },
  });
}
