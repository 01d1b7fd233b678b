import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Client, createClient } from "@slipway/client";

/** The command cannot be carried out as it was given. */
export class Unusable extends Error {}

export type ConnectionOptions = {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  /** Whose token of the local platform is used where none is given; default: the deployer's. */
  readonly as?: "deployer" | "admin" | undefined;
};

type Connection = { readonly url: string; readonly token: string; readonly rollbackUrl: string | undefined };

/**
 * Where the platform is and as whom to call it: `--url` and `--token`, else SLIPWAY_URL and SLIPWAY_TOKEN, else the local platform of the checkout
 * around the working folder, as its deployer (or its admin, for what only an admin may).
 */
export function connect(options: ConnectionOptions): Client {
  const local = localPlatform(process.env.SLIPWAY_HOME ?? process.cwd(), options.as ?? "deployer");
  const url = options.url ?? process.env.SLIPWAY_URL ?? local?.url;
  const token = options.token ?? process.env.SLIPWAY_TOKEN ?? (url === local?.url ? local?.token : undefined);
  if (url === undefined)
    throw new Unusable("No platform was found: start one with npm start, or name it with --url or SLIPWAY_URL.");
  if (token === undefined) throw new Unusable("A token is needed: --token or SLIPWAY_TOKEN.");
  const rollback = local?.url === url ? local.rollbackUrl : undefined;
  return createClient({ url, token, ...(rollback === undefined ? {} : { urls: { "rollback-controller": rollback } }) });
}

/** The data folder of the platform that commands find by themselves, or where npm start would make one. */
export function localDataFolder(): string {
  const from = process.env.SLIPWAY_HOME ?? process.cwd();
  if (process.env.SLIPWAY_DATA !== undefined) return resolve(process.env.SLIPWAY_DATA);
  for (let folder = resolve(from); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, ".slipway", "endpoints.json"))) return join(folder, ".slipway");
  }
  return join(resolve(from), ".slipway");
}

function localPlatform(from: string, as: "deployer" | "admin"): Connection | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const data = process.env.SLIPWAY_DATA ?? join(folder, ".slipway");
    const file = join(data, "endpoints.json");
    const tokenFile = join(data, "tokens", as);
    if (existsSync(file) && existsSync(tokenFile)) return read(file, tokenFile);
    if (folder === dirname(folder)) return undefined;
  }
}

function read(file: string, tokenFile: string): Connection | undefined {
  const endpoints = JSON.parse(readFileSync(file, "utf8")) as { platform?: { url: string }; rollback?: number };
  if (endpoints.platform === undefined) return undefined;
  return {
    url: endpoints.platform.url,
    token: readFileSync(tokenFile, "utf8").trim(),
    rollbackUrl: endpoints.rollback === undefined ? undefined : `http://127.0.0.1:${endpoints.rollback}`,
  };
}
