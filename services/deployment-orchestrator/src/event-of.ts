import type { CloudEvent } from "@slipway/contracts";
import type { Instant } from "@slipway/kernel";
import type { DeploymentEvent } from "./domain/command.ts";

/** An event of a deployment as the bus takes it, in order with that deployment's others. `id`: by which whoever has taken it knows it again. */
export function eventOf({ type, data }: DeploymentEvent, id: string, time: Instant): CloudEvent {
  return {
    ...{ specversion: "1.0", id, source: "deployment-orchestrator", type, subject: data.deployment_id, time },
    ...{ datacontenttype: "application/json", data },
  };
}
