import type { Command } from "commander";
import pc from "picocolors";
import { localDataFolder } from "../connection.ts";
import type { Check } from "../doctor/checks.ts";
import { type Common, print } from "../output.ts";

const marks = { ok: pc.green("ok  "), warning: pc.yellow("note"), bad: pc.red("bad ") };

/** `slipway doctor`: what this machine and the local platform are in need of, one line each. Exit code 1 where something is bad. */
export function doctorCommand(root: Command): void {
  root
    .command("doctor")
    .description("check node, git, isolation, ports, data folder, disk, regions and tokens")
    .action(async () => {
      const {
        dataFolderCheck,
        diskCheck,
        endpointsIn,
        gitCheck,
        isolationCheck,
        nodeCheck,
        portsCheck,
        regionChecks,
        temporaryCheck,
      } = await import("../doctor/checks.ts");
      const { tokenCheck, tokenFilesCheck } = await import("../doctor/token-check.ts");
      const dataDir = localDataFolder();
      const endpoints = endpointsIn(dataDir);
      const checks: Check[] = [
        nodeCheck(process.version),
        ...(await Promise.all([gitCheck(), isolationCheck(), portsCheck(endpoints)])),
        ...[dataFolderCheck(dataDir), diskCheck(dataDir), temporaryCheck()],
        ...(await regionChecks(endpoints)),
        ...tokenFilesCheck(dataDir),
        await tokenCheck(root.opts<Common>()),
      ];
      const width = Math.max(...checks.map(({ name }) => name.length));
      const lines = checks.map(({ name, state, found, remedy }) => {
        const line = `${marks[state]}  ${name.padEnd(width)}  ${found.replaceAll("\n", " ")}`;
        return remedy === undefined ? line : `${line}. Remedy: ${remedy}`;
      });
      print(root, { healthy: checks.every(({ state }) => state !== "bad"), checks }, lines.join("\n"));
      if (checks.some(({ state }) => state === "bad")) process.exitCode = 1;
    });
}
