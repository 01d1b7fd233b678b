import type { Client } from "@slipway/client";
import {
  BuildIdSchema,
  createDeployment,
  DeploymentIdSchema,
  DeploymentRequest,
  DigestSchema,
  EnvironmentNameSchema,
  getDeployment,
  getDeploymentStatus,
  promoteDeployment,
  requestPromotion,
  rollbackDeployment,
} from "@slipway/contracts";
import { Command } from "commander";
import type { z } from "zod";
import { doctorCommand } from "./commands/doctor.ts";
import { runCommand } from "./commands/run.ts";
import { secretsCommand } from "./commands/secrets.ts";
import { validateCommand } from "./commands/validate.ts";
import { connect, Unusable } from "./connection.ts";
import { followLog } from "./logs.ts";
import { type Common, print } from "./output.ts";
import { endedStatuses, exitCodeOf, showDeployment } from "./show.ts";

const exitCodes = `
Exit codes: 0 done; 1 refused or failed; 2 the command line, or where the platform is, could not be understood.`;

/** The command line `slipway`. */
export function program(): Command {
  const root = new Command("slipway")
    .description("Deploys code in small, watched steps, and takes it back by itself when it is bad.")
    .option("--url <url>", "the platform (default: SLIPWAY_URL, else the local one)")
    .option("--token <token>", "who calls (default: SLIPWAY_TOKEN, else the local deployer)")
    .option("--json", "answer as JSON")
    .showSuggestionAfterError()
    .showHelpAfterError("(slipway --help lists the commands)")
    .addHelpText("after", exitCodes)
    .exitOverride();
  validateCommand(root);
  runCommand(root);
  doctorCommand(root);
  secretsCommand(root);
  deployCommand(root);
  statusCommand(root);
  moveCommands(root);
  artifactCommands(root);
  root
    .command("logs")
    .description("the log of a build, live while it runs")
    .argument("<build>", "e.g. B-12")
    .action(async (id: string) => followLog(connect(root.opts<Common>()), read(BuildIdSchema, id)));
  return root;
}

function deployCommand(root: Command): void {
  root
    .command("deploy")
    .description("deploy a version of a service")
    .argument("<service>")
    .argument("<version>", "a commit (7 to 40 digits), a digest, or <sha7>-<hash5>")
    .option("--env <environment>", "where to", "prod")
    .option("--regions <names>", "comma separated; default: all")
    .option("--canary-percent <percent>", "first weight")
    .option("--confirm-initial", "this is the first deployment there")
    .option("--watch", "follow it to its end")
    .action(async (service: string, version: string, own: Record<string, string | boolean | undefined>) => {
      const body = read(DeploymentRequest, {
        service,
        version,
        environment: own.env,
        ...(typeof own.regions === "string" ? { regions: own.regions.split(",") } : {}),
        ...(own.canaryPercent === undefined ? {} : { canary_percent: Number(own.canaryPercent) }),
        ...(own.confirmInitial === true ? { confirm_initial: true } : {}),
      });
      const client = connect(root.opts<Common>());
      const answer = await client.call(createDeployment, { query: {}, body, idempotencyKey: crypto.randomUUID() });
      print(root, answer, `${answer.deployment_id} ${answer.status}`);
      if (own.watch === true && answer.deployment_id !== null) await watch(root, client, answer.deployment_id);
    });
}

function statusCommand(root: Command): void {
  root
    .command("status")
    .description("how a deployment is doing")
    .argument("<deployment>", "e.g. D-4")
    .option("--watch", "follow it to its end; the exit code says how it ended")
    .action(async (id: string, own: { watch?: boolean }) => {
      const client = connect(root.opts<Common>());
      const deployment = read(DeploymentIdSchema, id);
      if (own.watch === true) await watch(root, client, deployment);
      else await showOnce(root, client, deployment);
    });
}

function moveCommands(root: Command): void {
  root
    .command("promote")
    .description("end this step's bake early; never overrides a gate")
    .argument("<deployment>")
    .option("--expected-step <step>", "refuse if it is at another step")
    .action(async (id: string, own: { expectedStep?: string }) => {
      const body = own.expectedStep === undefined ? {} : { expected_step: Number(own.expectedStep) };
      const answer = await connect(root.opts<Common>()).call(promoteDeployment, {
        params: { id: read(DeploymentIdSchema, id) },
        body,
      });
      print(root, answer, `${answer.deployment_id} ${answer.status}  ${answer.progress}`);
    });
  root
    .command("rollback")
    .description("take a deployment's version back everywhere")
    .argument("<deployment>")
    .option("--reason <text>", "kept in the audit log")
    .action(async (id: string, own: { reason?: string }) => {
      const answer = await connect(root.opts<Common>()).call(rollbackDeployment, {
        params: { id: read(DeploymentIdSchema, id) },
        body: own,
      });
      print(root, answer, `${answer.deployment_id} ${answer.status}`);
    });
}

function artifactCommands(root: Command): void {
  root
    .command("artifacts")
    .description("images that were built")
    .command("promote")
    .description("ask for an artifact to be promoted to the next environment")
    .argument("<digest>")
    .requiredOption("--to <environment>")
    .action(async (digest: string, own: { to: string }) => {
      const params = { digest: read(DigestSchema, digest) };
      const answer = await connect(root.opts<Common>()).call(requestPromotion, {
        params,
        body: { to: read(EnvironmentNameSchema, own.to) },
      });
      print(
        root,
        answer,
        `${answer.promotion_id} ${answer.status}: ${answer.from} -> ${answer.to}, ${answer.approvals_needed} approval(s) needed`,
      );
    });
}

async function watch(root: Command, client: Client, id: z.infer<typeof DeploymentIdSchema>): Promise<void> {
  let last = "";
  for (;;) {
    const view = await client.call(getDeployment, { params: { id } });
    const status = await client.call(getDeploymentStatus, { params: { id } });
    const text = root.opts<Common>().json === true ? JSON.stringify(status) : showDeployment(view, status);
    if (text !== last) process.stdout.write(`${text}\n`);
    last = text;
    if (endedStatuses.includes(view.status)) {
      process.exitCode = exitCodeOf(view.status);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

async function showOnce(root: Command, client: Client, id: z.infer<typeof DeploymentIdSchema>): Promise<void> {
  const view = await client.call(getDeployment, { params: { id } });
  const status = await client.call(getDeploymentStatus, { params: { id } });
  print(root, { ...view, ...status }, showDeployment(view, status));
}

/** What was typed, by the same schema that the server uses. */
function read<T>(schema: z.ZodType<T, unknown>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Unusable(`${issue?.path.join(".") ?? ""} ${issue?.message ?? "not understood"}`.trim());
}
