import { ProblemError } from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import type { Principal } from "@slipway/host";
import type { DeploymentId, Instant, Refusal } from "@slipway/kernel";
import type { Deployment } from "./domain/deployment.ts";
import type { Intent } from "./domain/input.ts";
import type { Service } from "./service.ts";

/** Puts a person's wish to a deployment and, where it was not refused, into the audit log, in one transaction. Whoever is answered reads no view of before it. */
export async function intend(
  service: Service,
  id: DeploymentId,
  principal: Principal,
  intent: (now: Instant) => Intent,
): Promise<Deployment | Refusal> {
  const answer = await service.db.transaction().execute(async (tx) => {
    let asked: Intent | undefined;
    const answer = await service.durable.send(service.machine, id, (now) => (asked = intent(now)), tx);
    if (answer.kind === "not_found") throw new ProblemError("deployment.not_found", `There is no deployment ${id}.`);
    if (answer.kind === "refusal") return answer;
    if (asked === undefined) throw new Error("the input was never made");
    const { type, now: at, ...wish } = asked;
    const { service: name, environment } = answer.state.plan;
    await appendAudit(tx, {
      actor: principal.name,
      action: `deployment.${type.toLowerCase()}`,
      subject: id,
      detail: { service: name, environment, ...wish },
      at,
    });
    return answer.state;
  });
  await service.views.forget(id);
  return answer;
}
