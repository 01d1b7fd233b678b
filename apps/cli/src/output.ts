import { type Client, lineWriter } from "@slipway/client";
import type { Command } from "commander";
import { type ConnectionOptions, connect } from "./connection.ts";

/** Options that every command has. */
export type Common = ConnectionOptions & { readonly json?: boolean };

/** All of standard output goes through this one: two of them would mix up their pieces. */
export const say = lineWriter(process.stdout);

export function wantsJson(root: Command): boolean {
  return root.opts<Common>().json === true;
}

/** Prints a value as JSON, or what it says to people. */
export function print(root: Command, value: unknown, text: string): void {
  say(`${wantsJson(root) ? JSON.stringify(value, null, 2) : text}\n`);
}

/** One value of many: with --json a line of its own. */
export function printLine(root: Command, value: unknown, text: string): void {
  say(`${wantsJson(root) ? JSON.stringify(value) : text}\n`);
}

/** Does something with the platform that the common options name, and ends the connections. */
export async function withClient<T>(root: Command, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connect(root.opts<Common>());
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Columns that line up; the last one is as long as it is. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
