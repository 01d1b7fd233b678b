import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { listBuilds, ProblemError } from "@slipway/contracts";
import { type ConnectionOptions, connect } from "../connection.ts";
import { CommandFailure } from "../exit-codes.ts";
import type { Check } from "./checks.ts";

/** Whether the token that commands would use is taken by the platform they would call. */
export async function tokenCheck(options: ConnectionOptions): Promise<Check> {
  const name = "token";
  try {
    const client = await connect(options);
    try {
      await client.call(listBuilds, { query: { page_size: 1 }, timeoutMs: 3_000 });
      return { name, state: "ok", found: "the platform takes it" };
    } finally {
      await client.close();
    }
  } catch (error) {
    if (error instanceof CommandFailure) {
      return {
        name,
        state: "warning",
        found: error.message.replace(/\.$/, ""),
        ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      };
    }
    if (!(error instanceof ProblemError)) throw error;
    const remedy = error.code === "unavailable" ? "Start the platform: npm start." : (error.remedy ?? "Use --token.");
    return { name, state: "bad", found: error.message, remedy };
  }
}

/** Token files are for their owner's eyes only. */
export function tokenFilesCheck(dataDir: string): readonly Check[] {
  const name = "token files";
  const folder = join(dataDir, "tokens");
  if (!existsSync(folder)) return [];
  const open = ["viewer", "deployer", "approver", "admin"].filter((role) => {
    const file = join(folder, role);
    return existsSync(file) && (statSync(file).mode & 0o077) !== 0;
  });
  if (open.length === 0) return [{ name, state: "ok", found: folder }];
  const remedy = `chmod 600 ${open.map((role) => join(folder, role)).join(" ")}`;
  return [{ name, state: "bad", found: `others can read ${open.join(", ")}`, remedy }];
}
