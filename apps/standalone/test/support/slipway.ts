import { entryPoints } from "./bundle.ts";
import { type Ran, runCommand } from "./run-command.ts";

/** The command line, as a person beside the data folder would use it. */
export function slipway(dataDir: string, ...args: readonly string[]): Promise<Ran> {
  return runCommand(process.execPath, [entryPoints.slipway, ...args], { SLIPWAY_DATA: dataDir, NO_COLOR: "1" });
}

/** curl with a token; the answer's status and its JSON. */
export async function curl(token: string, ...args: readonly string[]): Promise<{ status: number; body: unknown }> {
  const silent = ["-sS", "-m", "20", "-w", "\n%{http_code}", "-H", `Authorization: Bearer ${token}`];
  const { out, err } = await runCommand("curl", [...silent, ...args]);
  const at = out.lastIndexOf("\n");
  if (at < 0) throw new Error(err);
  const text = out.slice(0, at);
  return { status: Number(out.slice(at + 1)), body: text === "" ? undefined : JSON.parse(text) };
}
