import { anyRole, DeploymentIdSchema, ProblemError, type RawOperation } from "@slipway/contracts";
import type { EventStream, ServiceApp } from "@slipway/host";
import { z } from "zod";
import { terminalPhases } from "./domain/deployment.ts";
import { deploymentView } from "./domain/view.ts";
import { pause } from "./effects/pause.ts";
import type { Service } from "./service.ts";

const Params = z.object({ id: DeploymentIdSchema });
const lookMs = 250;

const events: RawOperation = {
  id: "followDeployment",
  method: "GET",
  path: "/api/v1/deployments/:id/events",
  summary: "A deployment, whole, at each change, until it ends",
  auth: "token",
  roles: anyRole,
  parameters: [{ name: "Last-Event-ID", in: "header", description: "Leaves out what was seen already." }],
  answers: { 200: { description: "Events `deployment`, each with the view as JSON", type: "text/event-stream" } },
  errors: "problem",
};

/** Server-sent events of a deployment: its whole view at each change; the id is the row's version, so that a reader resumes without a repeat. */
export function eventRoutes(app: ServiceApp, service: Service): void {
  app.describe(events);
  app.raw.get(events.path, async (request, reply) => {
    await app.authorize(request, anyRole);
    const params = Params.safeParse(request.params);
    if (!params.success) throw new ProblemError("request.invalid", "A deployment id looks like D-456.");
    const { id } = params.data;
    if ((await service.durable.read(service.machine, id)) === undefined) {
      throw new ProblemError("deployment.not_found", `There is no deployment ${id}.`);
    }
    await follow(service, id, app.events(request, reply));
  });
}

async function follow(service: Service, id: string, stream: EventStream): Promise<void> {
  let seen = Number(stream.lastEventId ?? 0);
  while (!stream.signal.aborted) {
    const row = await service.durable.read(service.machine, id);
    if (row === undefined) break;
    if (row.version > seen) {
      seen = row.version;
      const open = await stream.send({
        id: String(row.version),
        event: "deployment",
        data: JSON.stringify(deploymentView(row.state, row.updatedAt)),
      });
      if (!open) return;
    }
    if ((terminalPhases as readonly string[]).includes(row.state.phase)) break;
    await pause(lookMs, stream.signal);
  }
  stream.end();
}
