import { type approveDeployment, DeploymentIdSchema, type promoteDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { print, withClient } from "../output.ts";
import { typed } from "../typed.ts";

type Move = typeof approveDeployment | typeof promoteDeployment;
type Body = { readonly reason?: string | undefined; readonly expected_step?: number | undefined };

/** Asks for a change of a deployment that is under way and prints where it stands then. */
export async function move(root: Command, endpoint: Move, named: string, body: Body): Promise<void> {
  const id = typed(DeploymentIdSchema, named);
  await withClient(root, async (client) => {
    const input = { params: { id }, body, idempotencyKey: crypto.randomUUID() };
    const answer = await client.call(endpoint as typeof promoteDeployment, input);
    const { waiting } = answer;
    const lines = [`${answer.deployment_id} ${answer.status}  ${answer.progress}`];
    if (waiting !== null) lines.push(`  waiting for ${waiting.for}; goes on when: ${waiting.unblockedBy}`);
    print(root, answer, lines.join("\n"));
  });
}
