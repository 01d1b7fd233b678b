// Where Slipway keeps what can be made again, for all checkouts of a user. packages/host/src/user-cache.ts says the same to what is bundled.
import { homedir } from "node:os";
import { join } from "node:path";

export function userCache(name, env = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "slipway", name);
}
