import type { Client } from "@slipway/client";
import {
  type BuildView,
  type DeploymentView,
  getRestore,
  getWatch,
  type Judgement,
  listBuilds,
  listDeployments,
  listNotifications,
  type PageDeployment,
  type PageFocus,
  type PageRegion,
  type PageView,
} from "@slipway/contracts";
import type { Layout, LayoutRegion } from "../layout.ts";
import { servedWeights } from "../served-weights.ts";
import { buildOf, isOver, shownOf } from "./shown.ts";

/** What one look at the platform finds: the page without what this process knows by itself. */
export type Look = Pick<
  PageView,
  "regions" | "focus" | "roll_back" | "recent" | "notifications" | "missing" | "observed"
> & {
  readonly build: BuildView | null;
};

export type LookOptions = {
  readonly client: Client;
  readonly layout: Layout;
  readonly outcome: (own: DeploymentView) => string | null;
};

const withinMs = 3_000;
const shownDeployments = 8;
/** Where many deploy to dev, what is under way in prod may be further back than what is listed. */
const readDeployments = 24;
const readBuilds = 10;
const shownNotifications = 5;

/** Reads what the page shows through the API, as its viewer. A part that cannot be read is named in `missing`. */
export async function lookAround(options: LookOptions): Promise<Look> {
  const { client, layout, outcome } = options;
  const missing: string[] = [];
  const or = async <T>(what: string, work: Promise<T>, otherwise: T): Promise<T> =>
    work.catch(() => {
      missing.push(what);
      return otherwise;
    });
  const [{ deployments }, { builds }, { notifications }] = await Promise.all([
    or(
      "deployments",
      client.call(listDeployments, { query: { page_size: readDeployments }, timeoutMs: withinMs }),
      none,
    ),
    or("builds", client.call(listBuilds, { query: { page_size: readBuilds }, timeoutMs: withinMs }), none),
    or(
      "notifications",
      client.call(listNotifications, { query: { page_size: shownNotifications }, timeoutMs: withinMs }),
      none,
    ),
  ]);
  const { differences } = await or("the state of the database", client.call(getRestore, { timeoutMs: withinMs }), same);
  const shown = shownOf(deployments, Date.now());
  const [regions, judgement] = await Promise.all([
    regionsOf(layout, shown),
    shown === undefined ? null : or("the watch", judgementOf(client, shown), null),
  ]);
  const focus = shown === undefined ? null : focusOf(shown, deployments, judgement, regions);
  for (const region of regions) if (region.served === null) missing.push(`the proxy of ${region.name}`);
  return {
    regions,
    focus,
    roll_back: rollBackOf(shown, deployments),
    build: buildOf(builds, shown),
    recent: deployments.slice(0, shownDeployments).map((own) => recentOf(own, outcome(own))),
    notifications: notifications.map(({ notification_id, title, text, created_at, settled }) => ({
      ...{ id: notification_id, title, text, at: created_at },
      settled: settled?.how ?? null,
    })),
    missing,
    observed: differences.map(({ environment, service, region, holder_there }) => {
      return `${service} in ${environment}, ${region}: last written by ${holder_there}`;
    }),
  };
}

const same = { observing: false, differences: [], unread: [] };
const none = { deployments: [], builds: [], notifications: [], next_page_token: null };

async function judgementOf(client: Client, shown: DeploymentView): Promise<Judgement | null> {
  if (["accepted", "queued", "opening", "preparing"].includes(shown.phase)) return null;
  const watch = await client.call(getWatch, { params: { id: shown.deployment_id }, timeoutMs: withinMs });
  return watch.judgement;
}

async function regionsOf(layout: Layout, shown: DeploymentView | undefined): Promise<readonly PageRegion[]> {
  const served = async ({ name, local }: LayoutRegion): Promise<PageRegion["served"]> => {
    const all =
      local === undefined
        ? confirmed(shown, name)
        : await servedWeights(local.adminUrl, shown?.service ?? "", shown?.environment ?? "");
    return all?.filter(({ percent }) => percent > 0).map(({ version, percent }) => ({ version, percent })) ?? null;
  };
  return Promise.all(
    layout.regions.map(async (region) => ({
      name: region.name,
      served: await served(region),
      mesh_url: region.mesh_url,
      kubectl: `kubectl --kubeconfig ${region.kubeconfig} get pods,virtualservices -A`,
    })),
  );
}

/** What the platform saw a region serve that is not this laptop's, whose proxies it cannot ask. What is only written there is not served yet. */
function confirmed(shown: DeploymentView | undefined, region: string): PageRegion["served"] {
  const seen = shown?.regions[region];
  if (shown === undefined || seen === undefined) return [];
  const { unproven, baseline } = seen;
  const percent = unproven?.from_percent ?? seen.weight_percent;
  const rest = baseline === null ? [] : [{ version: baseline, percent: 100 - percent }];
  return [{ version: shown.version, percent }, ...rest];
}

function focusOf(
  shown: DeploymentView,
  all: readonly DeploymentView[],
  judgement: Judgement | null,
  regions: readonly PageRegion[],
): PageFocus {
  const proven = isProven(shown) || all.some((own) => own.status === "SUCCEEDED" && isSameVersion(own, shown));
  const shares = regions.map(({ served }) => served?.find((own) => own.version === shown.version)?.percent ?? 0);
  const under_way = !isOver(shown);
  return {
    deployment: shown,
    under_way,
    judgement,
    proven,
    exposure_percent: proven ? 0 : Math.max(0, ...shares),
  };
}

/** A first version has nothing to go back to, and a way back is not taken back. */
function rollBackOf(shown: DeploymentView | undefined, all: readonly DeploymentView[]): string | null {
  if (shown === undefined || shown.status === "ROLLING_BACK") return null;
  const serves = all.find(
    ({ service, environment, status }) =>
      service === shown.service && environment === shown.environment && status === "SUCCEEDED",
  );
  const target = isOver(shown) ? serves : shown;
  return target === undefined || target.initial || target.rolls_back !== null ? null : target.deployment_id;
}

function isSameVersion(own: DeploymentView, other: DeploymentView): boolean {
  return own.version === other.version && own.environment === other.environment;
}

/** A first version has nothing to be compared with, and a way back goes to what served before: both count as proven. */
function isProven(shown: DeploymentView): boolean {
  if (shown.initial || shown.rolls_back !== null || shown.status === "SUCCEEDED") return true;
  return shown.gates.some((gate) => gate.verdict === "PASS") && !shown.gates.some((gate) => gate.verdict === "FAIL");
}

function recentOf(own: DeploymentView, outcome: string | null): PageDeployment {
  const { deployment_id, service, environment, version, git_sha, status, reason, rolls_back, created_at } = own;
  const waiting = isOver(own) ? null : own.waiting;
  return {
    ...{ deployment_id, service, environment, version, git_sha, status, reason, outcome, rolls_back, waiting },
    at: created_at,
  };
}
