import type { Command } from "commander";
import type { ConnectionOptions } from "./connection.ts";

/** Options that every command has. */
export type Common = ConnectionOptions & { readonly json?: boolean };

export function wantsJson(root: Command): boolean {
  return root.opts<Common>().json === true;
}

/** Prints a value as JSON, or what it says to people. */
export function print(root: Command, value: unknown, text: string): void {
  process.stdout.write(`${wantsJson(root) ? JSON.stringify(value, null, 2) : text}\n`);
}
