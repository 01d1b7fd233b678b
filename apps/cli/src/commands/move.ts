import { type approveDeployment, type promoteDeployment, waitingText } from "@slipway/contracts";
import type { Command } from "commander";
import { findDeployment } from "../find-deployment.ts";
import { serviceOr } from "../here.ts";
import { environmentOf } from "../known-environment.ts";
import { print, withClient } from "../output.ts";
import { reasonOf } from "../reason.ts";

type Move = typeof approveDeployment | typeof promoteDeployment;
type Body = { readonly reason?: string | undefined; readonly expected_step?: number | undefined };

export type Moving = { readonly env?: string; readonly reason?: string };

/** A command on a deployment that is named by its id, or by its service where that says which. */
export function movingCommand(root: Command, name: string, description: string): Command {
  return root
    .command(name)
    .description(description)
    .argument("[deployment]", "e.g. D-4, or a service (default: that of slipway.yaml here)")
    .option("--env <environment>", "of a service: where")
    .option("--reason <text>", "kept in the audit log");
}

/** Asks for a change of a deployment and prints where it stands then. `live`: a version that serves may be meant, too; `done`: said before it. */
export async function move(
  root: Command,
  endpoint: Move,
  named: string | undefined,
  { env, reason, ...rest }: Body & Moving,
  { live = false, done = "" }: { readonly live?: boolean; readonly done?: string } = {},
): Promise<void> {
  const body = { ...rest, ...reasonOf(reason) };
  const environment = environmentOf(env);
  await withClient(root, async (client) => {
    const id = await findDeployment(client, { named: named ?? serviceOr(undefined), environment, live });
    const input = { params: { id }, body, idempotencyKey: crypto.randomUUID() };
    const answer = await client.call(endpoint as typeof promoteDeployment, input);
    const lines = [`${done}${answer.deployment_id} ${answer.status}  ${answer.progress}`];
    if (answer.waiting !== null) lines.push(`  ${waitingText(answer)}`);
    print(root, answer, lines.join("\n"));
  });
}
