import { randomBytes } from "node:crypto";
import type { SecretView } from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import { addMs, type Clock, type Instant, type ServiceName } from "@slipway/kernel";
import type { Db, Logger, Tx } from "@slipway/sql";
import type { UpdateQueryBuilder, UpdateResult } from "kysely";
import { openKeyring } from "./key-file.ts";
import type { Keyring, Place } from "./keyring.ts";
import type { SecretKeys } from "./keys.ts";
import { missingSecrets, type Scope } from "./missing.ts";
import {
  dropReplaced,
  keptRows,
  lockSecret,
  presentRows,
  type SecretRow,
  type SecretTables,
  sealedOf,
  secretTables,
} from "./rows.ts";

/** Revisions by the names of secrets: what a plan holds instead of values. */
export type Revisions = Readonly<Record<string, string>>;

export type Setting = Scope & {
  readonly name: string;
  readonly value: string;
  readonly by: string;
  readonly now: Instant;
};
export type Removing = Omit<Setting, "value">;

/** The secrets of one owner. Values leave it decrypted only by `read` and `everyValue`. */
export type SecretStore = {
  /** Encrypts and keeps a value, audited. The same value again keeps its revision. */
  set(setting: Setting): Promise<SecretView>;
  /** Deletes every value of the name, also those kept for a way back, audited. False: there was none. */
  remove(removing: Removing): Promise<boolean>;
  /** All that are set of a service, without values. */
  list(service: string): Promise<SecretView[]>;
  /** The present revisions of these names. Throws secret.missing for what is not set. */
  revisions(scope: Scope, names: readonly string[]): Promise<Revisions>;
  /** Decrypts exactly these revisions. Throws secret.missing, secret.key_missing, secret.unreadable. */
  read(scope: Scope, revisions: Revisions): Promise<Record<string, string>>;
  /** Values of these names, or of all, that may be about, replaced ones too, for masking. What cannot be decrypted is left out. */
  everyValue(scope: Scope, names?: readonly string[]): Promise<string[]>;
  /** Encrypts with the present key what a former one has encrypted, and forgets what was replaced long ago. */
  maintain(now: Instant): Promise<{ readonly renewed: number; readonly unreadable: number }>;
};

export type SecretStoreOptions<T> = {
  readonly db: Db<T>;
  readonly owner: string;
  readonly keyring: Keyring;
  /** How long a replaced value is kept. */
  readonly keepMs: number;
};

/** The store of one owner with its keys, ready for use: former keys' values are encrypted anew. */
export async function openSecrets<T>(
  options: Omit<SecretStoreOptions<T>, "keyring"> & {
    readonly keys: SecretKeys;
    readonly dataDir: string;
    /** The key was made beforehand: several processes share it, and none makes one of its own. Default false. */
    readonly prepared?: boolean;
    readonly clock: Clock;
    readonly log: Logger;
  },
): Promise<SecretStore> {
  const { db, owner, keys, dataDir, log } = options;
  const anything = secretTables(db).selectFrom("secret_value").select("name").limit(1);
  const mayMake = async () => options.prepared !== true && (await anything.executeTakeFirst()) === undefined;
  const store = secretStore({ ...options, keyring: await openKeyring({ owner, keys, dataDir, mayMake }) });
  const { renewed, unreadable } = await store.maintain(options.clock.now());
  if (renewed > 0) log.info({ owner, renewed }, "secrets were encrypted anew with the present key");
  if (unreadable > 0) log.error({ owner, unreadable }, "the key of some secrets is not there; nothing of them is lost");
  return store;
}

export function secretStore<T>({ db, ...options }: SecretStoreOptions<T>): SecretStore {
  const kept: Kept = { ...options, db: secretTables(db) };
  return {
    set: (setting) => setSecret(kept, setting),
    remove: (removing) => removeSecret(kept, removing),
    list: async (service) => (await presentRows(kept.db, { service })).map((row) => viewOf(kept, row)),
    revisions: (scope, names) => presentRevisions(kept, scope, names),
    read: (scope, revisions) => readValues(kept, scope, revisions),
    everyValue: async (scope, names) =>
      (await keptRows(kept.db, scope, names)).flatMap((row) => openIfPossible(kept, row) ?? []),
    maintain: (now) => maintain(kept, now),
  };
}

type Kept = Omit<SecretStoreOptions<SecretTables>, "db"> & { readonly db: Db<SecretTables> };

function viewOf({ keyring }: Kept, row: SecretRow): SecretView {
  return {
    name: row.name,
    service: row.service as ServiceName,
    scope: row.scope,
    revision: row.revision,
    set_by: row.set_by,
    set_at: row.set_at,
    readable: keyring.has(row.key_id),
  };
}

async function setSecret(kept: Kept, setting: Setting): Promise<SecretView> {
  const { service, scope, name, value, by, now } = setting;
  return kept.db.transaction().execute(async (tx) => {
    await lockSecret(tx, setting, name);
    const [before] = await presentRows(tx, { service, scope, names: [name] });
    const same = before !== undefined && openIfPossible(kept, before) === value;
    const row = same ? before : newRow(kept, setting);
    if (before !== undefined && !same) await replace(tx, before, now);
    if (!same) await tx.insertInto("secret_value").values(row).execute();
    await dropReplaced(tx, addMs(now, -kept.keepMs));
    const detail = { secret: name, scope, revision: row.revision };
    await appendAudit(tx, { actor: by, action: "secret.set", subject: service, detail, at: now });
    return viewOf(kept, row);
  });
}

async function removeSecret(kept: Kept, removing: Removing): Promise<boolean> {
  const { service, scope, name, by, now } = removing;
  return kept.db.transaction().execute(async (tx) => {
    await lockSecret(tx, removing, name);
    const removed = await tx
      .deleteFrom("secret_value")
      .where("service", "=", service)
      .where("scope", "=", scope)
      .where("name", "=", name)
      .executeTakeFirst();
    if (removed.numDeletedRows === 0n) return false;
    const detail = { secret: name, scope };
    await appendAudit(tx, { actor: by, action: "secret.remove", subject: service, detail, at: now });
    return true;
  });
}

async function presentRevisions({ db, owner }: Kept, scope: Scope, names: readonly string[]): Promise<Revisions> {
  if (names.length === 0) return {};
  const rows = await presentRows(db, { service: scope.service, scope: scope.scope, names });
  const found = Object.fromEntries(rows.map(({ name, revision }) => [name, revision]));
  const absent = names.filter((name) => !Object.hasOwn(found, name));
  if (absent.length > 0) throw missingSecrets(owner, scope, absent);
  return found;
}

async function readValues(kept: Kept, scope: Scope, revisions: Revisions): Promise<Record<string, string>> {
  const names = Object.keys(revisions);
  const rows = (await keptRows(kept.db, scope, names)).filter((row) => revisions[row.name] === row.revision);
  const absent = names.filter((name) => !rows.some((row) => row.name === name));
  if (absent.length > 0) throw missingSecrets(kept.owner, scope, absent);
  return Object.fromEntries(rows.map((row) => [row.name, kept.keyring.open(row, sealedOf(row))]));
}

async function maintain({ db, keyring, keepMs }: Kept, now: Instant) {
  return db.transaction().execute(async (tx) => {
    await dropReplaced(tx, addMs(now, -keepMs));
    const rows = await tx.selectFrom("secret_value").selectAll().forUpdate().execute();
    const former = keyring.current === undefined ? [] : rows.filter((row) => row.key_id !== keyring.current);
    let renewed = 0;
    for (const row of former) {
      const value = openIfPossible({ keyring }, row);
      if (value === undefined) continue;
      const { keyId, box } = keyring.seal(row, value);
      await oneRow(tx.updateTable("secret_value").set({ key_id: keyId, box }), row).execute();
      renewed += 1;
    }
    return { renewed, unreadable: rows.filter((row) => !keyring.has(row.key_id)).length };
  });
}

/** Undefined for what has no key here, was changed, or moved. */
function openIfPossible({ keyring }: Pick<Kept, "keyring">, row: SecretRow): string | undefined {
  try {
    return keyring.open(row, sealedOf(row));
  } catch {
    return undefined;
  }
}

/** Random, so that it tells nothing of the value, and never again the same, so that a version's name keeps its meaning. */
function newRevision(): string {
  return randomBytes(8).toString("hex");
}

function newRow({ keyring }: Kept, { service, scope, name, value, by, now }: Setting): SecretRow {
  const place: Place = { service, scope, name, revision: newRevision() };
  const { keyId, box } = keyring.seal(place, value);
  return { ...place, key_id: keyId, box, set_by: by, set_at: now, replaced_at: null };
}

async function replace(tx: Tx<SecretTables>, row: SecretRow, now: Instant): Promise<void> {
  await oneRow(tx.updateTable("secret_value").set({ replaced_at: now }), row).execute();
}

function oneRow<Q extends UpdateQueryBuilder<SecretTables, "secret_value", "secret_value", UpdateResult>>(
  query: Q,
  { service, scope, name, revision }: SecretRow,
) {
  return query
    .where("service", "=", service)
    .where("scope", "=", scope)
    .where("name", "=", name)
    .where("revision", "=", revision);
}
