import { existsSync, readFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { dirname, join, resolve } from "node:path";
import type { Client } from "@slipway/client";
import { nearest, shown } from "@slipway/contracts";
import { NoToken, Unreachable, Unusable } from "./exit-codes.ts";
import { noteWaits } from "./note.ts";

export type ConnectionOptions = {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  /** Whose token of the local platform. */
  readonly as?: string | undefined;
};

export const localRoles = ["viewer", "deployer", "approver", "admin"] as const;

type Connection = {
  readonly url: string;
  readonly token: string;
  readonly tokenFrom: string;
  /** Set where the token is one of the local platform's. */
  readonly role: string | undefined;
  readonly rollbackUrl: string | undefined;
  /** Data folder of the local platform, where that is the one. */
  readonly dataDir: string | undefined;
};

const dialWithinMs = 3_000;
let latest: Connection | undefined;

/** What the last command connected by, for telling people about it. */
export function lastConnection(): Connection | undefined {
  return latest;
}

/**
 * Where the platform is and as whom to call it: `--url` and `--token`, else SLIPWAY_URL and SLIPWAY_TOKEN, else the local platform of the
 * checkout around the working folder, as its deployer (or whom `--as` names). Throws Unreachable, NoToken or Unusable.
 */
export async function connect(options: ConnectionOptions): Promise<Client> {
  const connection = chosen(options);
  latest = connection;
  await reach(connection);
  const { createClient } = await import("@slipway/client");
  const { url, token, rollbackUrl } = connection;
  const urls = rollbackUrl === undefined ? {} : { urls: { "rollback-controller": rollbackUrl } };
  return createClient({ url, token, ...urls, onWait: noteWaits() });
}

function chosen(options: ConnectionOptions): Connection {
  const local = localPlatform();
  // One that is set to nothing is not set.
  const url = options.url ?? (process.env.SLIPWAY_URL || local?.url);
  if (url === undefined) {
    throw new Unreachable(
      "No platform was found: there is no .slipway folder with one here or above.",
      "Start one with npm start in a checkout of Slipway, or name one with --url or SLIPWAY_URL.",
    );
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    const from = options.url === undefined ? "SLIPWAY_URL" : "--url";
    throw new Unusable(
      `${from}: ${shown(url)} is no address of a platform.`,
      "It looks like https://slipway.example.com.",
    );
  }
  const here = local?.url === url.replace(/\/+$/, "") ? local : undefined;
  const own = tokenFor(options, here?.dataDir);
  // It could not even be sent.
  if (!/^[\x21-\x7e]+$/.test(own.token))
    throw new NoToken(`What ${own.tokenFrom} gives is no token.`, "A token is one word that begins with slp_.");
  return {
    url,
    ...own,
    rollbackUrl: here?.rollbackUrl,
    dataDir: here?.dataDir,
  };
}

function tokenFor(options: ConnectionOptions, dataDir: string | undefined) {
  if (options.token !== undefined) return { token: options.token, tokenFrom: "--token", role: undefined };
  const { as } = options;
  if (as !== undefined && !(localRoles as readonly string[]).includes(as)) {
    throw new Unusable(`--as takes ${localRoles.join(", ")}, not ${as}${nearest(as, localRoles) || "."}`);
  }
  const fromEnvironment = process.env.SLIPWAY_TOKEN;
  if (as === undefined && fromEnvironment !== undefined && fromEnvironment !== "") {
    return { token: fromEnvironment, tokenFrom: "SLIPWAY_TOKEN", role: undefined };
  }
  const role = as ?? "deployer";
  const file = dataDir === undefined ? undefined : join(dataDir, "tokens", role);
  if (file === undefined)
    throw new NoToken("A token is needed to call this platform.", "Give --token or SLIPWAY_TOKEN.");
  try {
    return { token: readFileSync(file, "utf8").trim(), tokenFrom: file, role };
  } catch {
    throw new NoToken(`${file} cannot be read, and no token was given.`, "Give --token or SLIPWAY_TOKEN.");
  }
}

/** A platform that is away should be said to be so at once, not after all the retries of a call. */
async function reach({ url, dataDir }: Connection): Promise<void> {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const why = await dialError(host, Number(port || (protocol === "https:" ? 443 : 80)));
  if (why === undefined) return;
  if (dataDir !== undefined) {
    throw new Unreachable(
      `The platform of ${dataDir} does not run: nothing answers at ${url} (${why}).`,
      "Start it with npm start.",
    );
  }
  throw new Unreachable(
    `Nothing answers at ${url} (${why}).`,
    "Check --url or SLIPWAY_URL, and whether the platform runs.",
  );
}

function dialError(host: string, port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = dial({ host, port, timeout: dialWithinMs });
    const end = (why?: string): void => {
      socket.destroy();
      done(why);
    };
    socket.once("connect", () => end());
    socket.once("timeout", () => end(`no answer within ${dialWithinMs / 1_000} s`));
    socket.once("error", (error: NodeJS.ErrnoException) => end(wordsFor[error.code ?? ""] ?? error.message));
  });
}

const wordsFor: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the host's name could not be looked up",
  EHOSTUNREACH: "no way there",
};

/** The data folder of the platform that commands find by themselves, or where npm start would make one. */
export function localDataFolder(): string {
  return findDataFolder() ?? join(resolve(process.env.SLIPWAY_HOME ?? process.cwd()), ".slipway");
}

/** SLIPWAY_DATA; else the nearest .slipway of the working folder or above it; else that of the checkout this command is of. */
function findDataFolder(): string | undefined {
  if (process.env.SLIPWAY_DATA !== undefined) return resolve(process.env.SLIPWAY_DATA);
  for (const from of [process.cwd(), process.env.SLIPWAY_HOME]) {
    for (let folder = resolve(from ?? "."); ; folder = dirname(folder)) {
      if (existsSync(join(folder, ".slipway", "endpoints.json"))) return join(folder, ".slipway");
      if (folder === dirname(folder)) break;
    }
  }
  return undefined;
}

/** Where the local platform takes pushes, or would once it is started, and where its deployer's token lies. */
export function localAddress(): { readonly url: string; readonly tokenFile: string } {
  const url = localPlatform()?.url ?? "http://127.0.0.1:7400";
  return { url, tokenFile: join(localDataFolder(), "tokens", "deployer") };
}

function localPlatform(): { url: string; dataDir: string; rollbackUrl: string | undefined } | undefined {
  const dataDir = findDataFolder();
  const file = dataDir === undefined ? undefined : join(dataDir, "endpoints.json");
  if (dataDir === undefined || file === undefined || !existsSync(file)) return undefined;
  const endpoints = JSON.parse(readFileSync(file, "utf8")) as { platform?: { url: string }; rollback?: number };
  if (endpoints.platform === undefined) return undefined;
  const rollbackUrl = endpoints.rollback === undefined ? undefined : `http://127.0.0.1:${endpoints.rollback}`;
  return { url: endpoints.platform.url, dataDir, rollbackUrl };
}
