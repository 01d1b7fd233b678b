import { type DeploymentView, endedStatuses, type ServiceView } from "@slipway/contracts";
import { table } from "./output.ts";

/** Services as lines for people: one for each environment and version. Pure. */
export function servicesTable(services: readonly ServiceView[]): string {
  if (services.length === 0) return "There is no service yet: a git push or slipway artifacts add makes one.";
  const head = ["SERVICE", "ENVIRONMENT", "VERSION", "SINCE", "BY", "UNDER WAY"];
  return table([head, ...services.flatMap(rowsOf)]);
}

function rowsOf(service: ServiceView): string[][] {
  const moving = service.under_way.map((own) => own.environment as string);
  const environments = [...new Set([...Object.keys(service.live), ...moving])];
  if (environments.length === 0) return [[service.name, "-", "nothing serves", "-", "-", "-"]];
  return environments.flatMap((environment) => rowsIn(service, environment));
}

function rowsIn({ name, live, under_way }: ServiceView, environment: string): string[][] {
  const next = under_way
    .filter((own) => own.environment === environment)
    .map((own) => `${own.deployment_id} ${own.status}`)
    .join(", ");
  const serving = servingIn(live[environment] ?? {});
  if (serving.length === 0) return [[name, environment, "nothing serves yet", "-", "-", next]];
  return serving.map(({ version, since, by }, at) => [
    name,
    environment,
    version,
    since,
    by,
    at === 0 ? next || "-" : "-",
  ]);
}

/** Each version that serves; where there is more than one, with its regions. */
function servingIn(regions: ServiceView["live"][string]) {
  const groups = Map.groupBy(Object.entries(regions), ([, own]) => own.deployment_id);
  return [...groups.values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined) return [];
    const [, { version, since, deployment_id: by, verified }] = first;
    const where = groups.size === 1 ? "" : ` (${own.map(([region]) => region).join(", ")})`;
    return [{ version: `${version}${where}`, since: `${since.slice(0, 19)}Z`, by, verified }];
  });
}

/** What serves of one service, a line for each environment (or the one that was asked for) and version. Pure. */
export function servesLines(live: ServiceView["live"], environment?: string): string[] {
  return Object.entries(live)
    .filter(([name]) => environment === undefined || name === environment)
    .flatMap(([name, regions]) =>
      servingIn(regions).map(({ version, since, by, verified }) => {
        return `  serves   in ${name}: ${version} since ${since} (${by}${verified ? ", verified" : ""})`;
      }),
    );
}

/** Where all has ended and nothing serves, silence would leave open whether something does. */
export function servesOrNothing(
  { service, status }: Pick<DeploymentView, "service" | "status">,
  live: ServiceView["live"],
  environment?: string,
): readonly string[] {
  const lines = servesLines(live, environment);
  if (lines.length > 0 || !endedStatuses.has(status)) return lines;
  const where = environment === undefined ? "anywhere" : `in ${environment}`;
  return [
    `  serves   nothing: no version of ${service} serves ${where}; slipway deploy ${service} VERSION deploys one`,
  ];
}
