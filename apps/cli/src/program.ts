import { Command } from "commander";
import manifest from "../package.json" with { type: "json" };
import { approveCommand } from "./commands/approve.ts";
import { artifactsCommand } from "./commands/artifacts.ts";
import { auditCommand } from "./commands/audit.ts";
import { deployCommand } from "./commands/deploy.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { eventsCommand } from "./commands/events.ts";
import { haltCommand } from "./commands/halt.ts";
import { initCommand } from "./commands/init.ts";
import { logsCommand } from "./commands/logs.ts";
import { promoteCommand } from "./commands/promote.ts";
import { promotionsCommand } from "./commands/promotions.ts";
import { repositoriesCommand } from "./commands/repositories.ts";
import { restoreCommand } from "./commands/restore.ts";
import { resumeCommand } from "./commands/resume.ts";
import { rollbackCommand } from "./commands/rollback.ts";
import { runCommand } from "./commands/run.ts";
import { secretsCommand } from "./commands/secrets.ts";
import { servicesCommand } from "./commands/services.ts";
import { statusCommand } from "./commands/status.ts";
import { validateCommand } from "./commands/validate.ts";
import { exitCodesHelp } from "./exit-codes.ts";

/** Of the command line itself. Only where nothing else is asked for: `slipway logs --version NAME` is about a service's. */
export function ownVersion(argv: readonly string[]): string | undefined {
  const [, , first, ...more] = argv;
  return more.length === 0 && (first === "--version" || first === "-V") ? manifest.version : undefined;
}

/** The command line `slipway`. `json`: what cannot be understood is said as a problem document, not as text. */
export function program(json = false): Command {
  const root = new Command("slipway")
    .description("Deploys code in small, watched steps, and takes it back by itself when it is bad.")
    .option("--url <url>", "the platform (default: SLIPWAY_URL, else the local one)")
    .option("--token <token>", "who calls (default: SLIPWAY_TOKEN, else the local deployer)")
    .option("--as <role>", "whose token of the local platform: viewer, deployer, approver or admin")
    .option("--json", "answer as JSON, errors too")
    .showSuggestionAfterError()
    .addHelpText("after", `\nslipway --version prints ${manifest.version}, its own.\n${exitCodesHelp}`)
    .exitOverride();
  if (json) root.configureOutput({ writeErr: () => undefined });
  for (const add of [initCommand, validateCommand, runCommand, doctorCommand]) add(root);
  for (const add of [deployCommand, statusCommand, servicesCommand, logsCommand]) add(root);
  for (const add of [promoteCommand, haltCommand, resumeCommand, approveCommand, rollbackCommand]) add(root);
  for (const add of [artifactsCommand, promotionsCommand, repositoriesCommand, secretsCommand]) add(root);
  for (const add of [eventsCommand, auditCommand, restoreCommand]) add(root);
  if (!json) tellWhereHelpIs(root, root.name());
  return root;
}

function tellWhereHelpIs(command: Command, name: string): void {
  command.showHelpAfterError(`(${helpOf(name, command)})`);
  for (const own of command.commands) tellWhereHelpIs(own, `${name} ${own.name()}`);
}

/** Which help has what the typed words were about: that of the command that they name, as far as they name one. */
export function helpFor(root: Command, words: readonly string[]): string {
  let at = root;
  let name = root.name();
  for (const word of words) {
    const next = at.commands.find((own) => own.name() === word);
    if (next === undefined) continue;
    at = next;
    name = `${name} ${word}`;
  }
  return `${helpOf(name, at)}.`;
}

function helpOf(name: string, { commands }: Command): string {
  return `${name} --help ${commands.length > 0 ? "lists the commands" : "says what it takes"}`;
}
