import type { Client } from "@slipway/client";
import { DeploymentIdSchema, getService, ProblemError, ServiceNameSchema, type ServiceView } from "@slipway/contracts";
import type { DeploymentId } from "./ids.ts";
import { requireEnvironment } from "./known-environment.ts";
import { suggesting } from "./suggest.ts";
import { typed } from "./typed.ts";

type Wanted = {
  /** A deployment, or a service. */
  readonly named: string;
  readonly environment?: string | undefined;
  /** Where nothing is under way, what serves may be meant. */
  readonly live: boolean;
};

/** The deployment that was named; of a service the one that is under way. Throws where that is none, or several. */
export async function findDeployment(client: Client, { named, environment, live }: Wanted): Promise<DeploymentId> {
  if (isDeploymentId(named)) return typed(DeploymentIdSchema, named);
  const name = typed(ServiceNameSchema, named);
  const view = await suggesting(client, { service: name }, () => client.call(getService, { params: { name } }));
  try {
    return chooseDeployment(view, environment, live);
  } catch (error) {
    if (environment !== undefined) await requireEnvironment(client, environment);
    throw error;
  }
}

export function isDeploymentId(named: string): boolean {
  return /^D-|^\d/.test(named);
}

type Candidate = { readonly id: DeploymentId; readonly text: string };

/** Pure. */
export function chooseDeployment(view: ServiceView, environment: string | undefined, live: boolean): DeploymentId {
  const here = ({ environment: one }: { readonly environment: string }) =>
    environment === undefined || one === environment;
  const where = environment === undefined ? "" : ` in ${environment}`;
  const moving = view.under_way.filter(here).map((own) => ({
    id: own.deployment_id,
    text: `${own.deployment_id} (${own.environment}, ${own.status})`,
  }));
  const candidates = moving.length > 0 || !live ? moving : serving(view, here);
  const [first, second] = candidates;
  if (first === undefined) {
    const nothing = live ? "no version of it serves, and no deployment is under way" : "no deployment is under way";
    throw new ProblemError("deployment.not_found", `${view.name}${where}: ${nothing}.`, {
      remedy: `slipway status ${view.name} shows its newest deployment, slipway services what serves.`,
    });
  }
  if (second === undefined) return first.id;
  const what = moving.length > 0 ? "deployments are under way" : "versions serve";
  const all = candidates.map(({ text }) => text).join(", ");
  throw new ProblemError("request.invalid", `${candidates.length} ${what} of ${view.name}${where}: ${all}.`, {
    remedy: environment === undefined ? "Name one of them, or its environment with --env." : "Name one of them.",
  });
}

/** Deployments whose version serves somewhere, each once. */
function serving(view: ServiceView, here: (own: { readonly environment: string }) => boolean): readonly Candidate[] {
  const found = Object.entries(view.live).flatMap(([environment, regions]) =>
    here({ environment })
      ? Object.values(regions).map(
          ({ deployment_id: id, version }) => [id, `${id} (${environment}, ${version})`] as const,
        )
      : [],
  );
  return [...new Map(found)].map(([id, text]) => ({ id, text }));
}
