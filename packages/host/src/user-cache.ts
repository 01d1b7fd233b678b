import { homedir } from "node:os";
import { join } from "node:path";

/** Where Slipway keeps what can be made again, for all data folders of a user. scripts/user-cache.mjs says the same to what runs before anything is installed. */
export function userCache(name: string, env: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "slipway", name);
}
