import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Keyring, keyring } from "./keyring.ts";
import { parseKey, type SecretKey, type SecretKeys } from "./keys.ts";

export type OpenKeyringOptions = {
  /** Whose values, e.g. `build`. */
  readonly owner: string;
  readonly keys: SecretKeys;
  readonly dataDir: string;
  /** Whether a key may be made: not where values exist that another one has encrypted. */
  mayMake(): Promise<boolean>;
};

/**
 * The keys of one owner: of the environment, else of `<data>/secrets/values.key` (0600), which is made where nothing was ever
 * encrypted. Throws for a file that holds no key.
 */
export async function openKeyring({ owner, keys, dataDir, mayMake }: OpenKeyringOptions): Promise<Keyring> {
  const file = join(dataDir, "secrets", "values.key");
  const inFile = await readKey(file);
  let current = keys.SLIPWAY_SECRETS_KEY ?? inFile;
  if (current === undefined && (await mayMake())) current = await makeKey(file);
  // A key that moved from the file to the environment leaves values behind that the file's key opens.
  const old = [...(keys.SLIPWAY_SECRETS_OLD_KEYS ?? []), ...(inFile === undefined ? [] : [inFile])];
  return keyring({ owner, current, old, file });
}

/** What a start would say of the keys, and where they are mounted (`mounted`) also that there is none: nobody makes one then. */
export async function keyProblem(dataDir: string, keys: SecretKeys, mounted: boolean): Promise<string | undefined> {
  const file = join(dataDir, "secrets", "values.key");
  try {
    const inFile = await readKey(file);
    if (!mounted || (inFile ?? keys.SLIPWAY_SECRETS_KEY) !== undefined) return undefined;
    return `${file} is missing: mount there the key that \`slipway-service credentials\` has made, or say it in SLIPWAY_SECRETS_KEY`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function readKey(file: string): Promise<SecretKey | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const key = parseKey(text);
  if (key === undefined)
    throw new Error(`${file} holds no whole key: put the right one there, or into SLIPWAY_SECRETS_KEY`);
  return key;
}

/** The whole file appears at once (link), so that two services asking together have the same key. */
async function makeKey(file: string): Promise<SecretKey | undefined> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  await writeFile(temporary, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx", flush: true });
  try {
    await link(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await unlink(temporary);
  }
  return readKey(file);
}
