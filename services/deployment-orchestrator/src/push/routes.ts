import { getPush, ProblemError, type PushView } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import type { BuildId } from "@slipway/kernel";
import type { Push } from "../domain/push.ts";
import type { Service } from "../service.ts";
import type { PushMachine } from "./deploy-push.ts";

export function pushRoutes(app: ServiceApp, service: Service, machine: PushMachine): void {
  app.serve(getPush, async ({ params }) => {
    const row = await service.durable.read(machine, params.build);
    if (row === undefined) {
      throw new ProblemError("push.not_found", `${params.build} is not deployed by itself, or has not succeeded yet.`);
    }
    const [pending] = row.state.phase === "pending" ? await service.durable.pending(machine, params.build) : [];
    return pushView(params.build, row.state, pending?.lastReason ?? null);
  });
}

const statuses = {
  pending: "PENDING",
  deployed: "DEPLOYED",
  refused: "REFUSED",
  superseded: "SUPERSEDED",
  given_up: "GIVEN_UP",
} as const;

function pushView(id: BuildId, push: Push, waitingFor: string | null): PushView {
  const { service, gitSha: git_sha, digest, environment, since, deadline } = push;
  return {
    ...{ build_id: id, service, git_sha, digest, environment, since, deadline },
    status: statuses[push.phase],
    deployment_id: push.phase === "deployed" ? push.deployment : null,
    reason: reasonOf(push, waitingFor),
    remedy: push.phase === "refused" ? push.remedy : null,
  };
}

function reasonOf(push: Push, waitingFor: string | null): string | null {
  switch (push.phase) {
    case "pending":
      return waitingFor;
    case "deployed":
      return null;
    case "superseded":
      return `${push.newer} is newer`;
    default:
      return push.reason;
  }
}
