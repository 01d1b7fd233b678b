import {
  approveDeployment,
  createDeployment,
  type DeploymentPhase,
  type DeploymentStatus,
  getDeployment,
  getDeploymentStatus,
  getService,
  haltDeployment,
  listDeployments as listDeploymentsEndpoint,
  listEnvironments,
  listRegions,
  listServices,
  ProblemError,
  promoteDeployment,
  putService,
  resumeDeployment,
  rollbackDeployment,
} from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import type { Principal, ServiceApp } from "@slipway/host";
import type { DeploymentId, EnvironmentName, Instant, Refusal } from "@slipway/kernel";
import { acceptDeployment, environmentOf, planDeployment } from "./accept.ts";
import type { Deployment } from "./domain/deployment.ts";
import type { Intent } from "./domain/input.ts";
import { deploymentView, progressOf, statusOf, waitingOf } from "./domain/view.ts";
import { intend } from "./intents.ts";
import { serviceView, serviceViews } from "./live.ts";
import { rollBackVerified } from "./rollback.ts";
import type { Service } from "./service.ts";
import { listDeployments, upsertService } from "./store.ts";
import { readDeployment, statusNow, viewNow } from "./views.ts";

/** Routes of the orchestrator: parse, one call, map. */
export function routes(app: ServiceApp, service: Service): void {
  deploymentRoutes(app, service);
  actionRoutes(app, service);
  catalogueRoutes(app, service);
}

function deploymentRoutes(app: ServiceApp, service: Service): void {
  app.serve(createDeployment, async ({ body, query, principal, now, idempotencyKey }) => {
    const draft = await planDeployment(service, { request: body, principal, now });
    if (query.validate_only === true) return { deployment_id: null, status: "IN_PROGRESS" as const, deployment: null };
    const state = await acceptDeployment(service, draft, idempotencyKey);
    return { deployment_id: state.plan.id, status: statusOf(state), deployment: deploymentView(state, now) };
  });

  app.serve(listDeploymentsEndpoint, async ({ query }) => {
    const before = query.page_token === undefined ? undefined : Number(query.page_token);
    const phases = query.status === undefined ? undefined : phasesOf(query.status);
    const found = await listDeployments(service.db, { ...query, phases }, query.page_size, before);
    const last = found.length === query.page_size ? found.at(-1) : undefined;
    return {
      deployments: found.map((row) => deploymentView(row.state, row.updatedAt)),
      next_page_token: last === undefined ? null : String(last.number),
    };
  });

  app.serve(getDeployment, ({ params: { id } }) => service.views.view(id, () => viewNow(service, id)));
  app.serve(getDeploymentStatus, ({ params: { id }, now }) =>
    service.views.status(id, () => statusNow(service, id, now)),
  );
}

function actionRoutes(app: ServiceApp, service: Service): void {
  app.serve(promoteDeployment, ({ params, body, principal }) =>
    act(service, params.id, principal, (now) => ({
      type: "Promote",
      by: principal.name,
      expectedStep: body.expected_step ?? null,
      now,
    })),
  );
  app.serve(haltDeployment, ({ params, body, principal }) =>
    act(service, params.id, principal, (now) => ({
      type: "Halt",
      by: principal.name,
      reason: body.reason ?? "halted by a person",
      now,
    })),
  );
  app.serve(resumeDeployment, ({ params, principal }) =>
    act(service, params.id, principal, (now) => ({ type: "Resume", by: principal.name, now })),
  );
  app.serve(approveDeployment, async ({ params, body, principal }) => {
    const { state } = await readDeployment(service, params.id);
    if (state.plan.requestedBy === principal.name) {
      throw new ProblemError(
        "deployment.self_approval",
        `${principal.name} asked for ${params.id} and may not approve it.`,
        { remedy: "Ask another approver." },
      );
    }
    return act(service, params.id, principal, (now) => ({
      type: "Approve",
      by: principal.name,
      reason: body.reason ?? "",
      now,
    }));
  });
  app.serve(rollbackDeployment, async ({ params, body, principal, now, idempotencyKey }) => {
    const { state } = await readDeployment(service, params.id);
    const reason = body.reason ?? `rolled back by ${principal.name}`;
    if (state.phase === "verified")
      return moved(await rollBackVerified(service, state, { principal, reason }, now, idempotencyKey));
    return act(service, params.id, principal, (at) => ({ type: "Rollback", by: principal.name, reason, now: at }));
  });
}

function catalogueRoutes(app: ServiceApp, service: Service): void {
  app.serve(putService, async ({ params: { name }, body, principal, now }) => {
    refuseProduction(service, body.deploys_to);
    const { owner, deploys_to: deploysTo } = body;
    await service.db.transaction().execute(async (tx) => {
      await upsertService(tx, name, { owner, deploysTo });
      const detail = { owner, ...(deploysTo === undefined ? {} : { deploys_to: deploysTo }) };
      await appendAudit(tx, { actor: principal.name, action: "service.put", subject: name, detail, at: now });
    });
    return { name, owner };
  });
  app.serve(getService, async ({ params }) => {
    const view = await serviceView(service, params.name);
    if (view === undefined) throw new ProblemError("service.not_found", `There is no service ${params.name}.`);
    return view;
  });
  app.serve(listServices, async ({ query }) => {
    const offset = Number(query.page_token ?? 0);
    const services = await serviceViews(service, { limit: query.page_size, offset });
    const more = services.length === query.page_size;
    return { services: [...services], next_page_token: more ? String(offset + query.page_size) : null };
  });
  app.serve(listEnvironments, async () => ({
    environments: service.environments.map(({ name, production, minimumBakeMs }) => ({
      name,
      production,
      minimum_bake_ms: minimumBakeMs,
    })),
  }));
  app.serve(listRegions, async () => ({
    regions: await Promise.all(service.regions.names.map((name) => regionView(service, name))),
  }));
}

/** Production is never entered without somebody who asks for it. */
function refuseProduction(service: Service, name: EnvironmentName | null | undefined): void {
  if (name === null || name === undefined || !environmentOf(service, name).production) return;
  throw new ProblemError("request.invalid", `deploys_to cannot be ${name}: nothing goes to production by itself.`, {
    remedy: "Name an environment before it, and deploy to production by POST /api/v1/deployments.",
  });
}

async function regionView(service: Service, name: Service["regions"]["names"][number]) {
  const mesh_url = service.regions.entry(name)?.mesh_url ?? "";
  const observed = (await service.behind.observed())
    .filter(({ region }) => region === name)
    .map((target) => `${target.environment}/${target.service}`);
  try {
    await (await service.regions.cluster(name)).ping();
    return { name, reachable: true, reason: null, mesh_url, observed };
  } catch (error) {
    return {
      name,
      reachable: false,
      reason: error instanceof Error ? error.message : "it does not answer",
      mesh_url,
      observed,
    };
  }
}

async function act(service: Service, id: DeploymentId, principal: Principal, intent: (now: Instant) => Intent) {
  const answer = await intend(service, id, principal, intent);
  return isRefusal(answer) ? answer : moved(answer);
}

function isRefusal(answer: Deployment | Refusal): answer is Refusal {
  return "kind" in answer;
}

function moved(state: Deployment) {
  return {
    deployment_id: state.plan.id,
    status: statusOf(state),
    progress: progressOf(state),
    waiting: waitingOf(state),
  };
}

const phasesByStatus: Record<DeploymentStatus, readonly DeploymentPhase[]> = {
  IN_PROGRESS: ["accepted", "queued", "opening", "preparing"],
  CANARY_MONITORING: ["raising", "baking"],
  ROLLING_OUT: ["raising", "baking", "finishing"],
  AWAITING_APPROVAL: ["awaiting_approval"],
  HELD: ["held"],
  SUCCEEDED: ["watching", "verified"],
  ROLLING_BACK: ["restoring"],
  ROLLED_BACK: ["rolled_back"],
  FAILED: ["failed"],
  CANCELLED: ["cancelled"],
  SUPERSEDED: ["superseded"],
};

function phasesOf(status: DeploymentStatus): readonly DeploymentPhase[] {
  return phasesByStatus[status];
}
