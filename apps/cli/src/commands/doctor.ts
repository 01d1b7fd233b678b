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
    .option(
      "--backends",
      "only what the SLIPWAY_ variables of a service name: database, bus, locks, objects, executor, regions, registries, other services",
    )
    .action(async ({ backends = false }: { backends?: boolean }) => {
      const { backendChecks, namesBackends, variableChecks } = await import("../doctor/backend-checks.ts");
      const checks: Check[] = [
        ...(backends ? [] : await machineChecks(root)),
        ...(await variableChecks(process.env)),
        ...(backends || namesBackends(process.env) ? await backendChecks(process.env) : []),
      ];
      if (checks.length === 0) checks.push(nothingNamed);
      const width = Math.max(...checks.map(({ name }) => name.length));
      const lines = checks.map(({ name, state, found, remedy }) => {
        const line = `${marks[state]}  ${name.padEnd(width)}  ${found.replaceAll("\n", " ")}`;
        return remedy === undefined ? line : `${line}. Remedy: ${remedy}`;
      });
      print(root, { healthy: checks.every(({ state }) => state !== "bad"), checks }, lines.join("\n"));
      if (checks.some(({ state }) => state === "bad")) process.exitCode = 1;
    });
}

const nothingNamed: Check = {
  name: "backends",
  state: "warning",
  found: "no SLIPWAY_ variable names any",
  remedy: "Run it with the environment of a service: SLIPWAY_DATABASE_URL, SLIPWAY_BUS_URL, SLIPWAY_REGIONS, …",
};

/** Of this machine and the platform that runs on it. */
async function machineChecks(root: Command): Promise<readonly Check[]> {
  const checks = await import("../doctor/checks.ts");
  const { dockerfilesCheck } = await import("../doctor/dockerfiles-check.ts");
  const { tokenCheck, tokenFilesCheck } = await import("../doctor/token-check.ts");
  const dataDir = localDataFolder();
  const endpoints = checks.endpointsIn(dataDir);
  return [
    checks.nodeCheck(process.version),
    ...(await Promise.all([checks.gitCheck(), checks.isolationCheck(), checks.portsCheck(endpoints)])),
    ...[
      dockerfilesCheck(process.env),
      checks.dataFolderCheck(dataDir),
      checks.diskCheck(dataDir),
      checks.temporaryCheck(),
    ],
    ...(await checks.regionChecks(endpoints)),
    ...tokenFilesCheck(dataDir),
    await tokenCheck(root.opts<Common>()),
  ];
}
