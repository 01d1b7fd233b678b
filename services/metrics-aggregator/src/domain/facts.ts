import type { deploymentTopic, EventOf, watchTopic } from "@slipway/contracts";
import type { Instant } from "@slipway/kernel";

export type Ended = { readonly at: Instant; readonly outcome: string; readonly reason: string };
export type Caught = { readonly at: Instant; readonly reason: string };

/** What is known of one deployment. Null = no event has told it. */
export type Facts = {
  readonly id: string;
  readonly service: string;
  readonly environment: string;
  readonly version: string;
  readonly gitSha: string | null;
  readonly regions: readonly string[];
  /** When it first got traffic. */
  readonly exposedAt: Instant | null;
  /** When it came to 100% and settled. */
  readonly succeededAt: Instant | null;
  /** The verdict FAIL; or a person found it bad after it had ended well. */
  readonly caught: Caught | null;
  /** The deployment that leads away from it, where it was found bad after it had ended well. */
  readonly wayBack: string | null;
  readonly ended: Ended | null;
  readonly maxWeightPercent: number | null;
  /** Requests of users that it failed, as far as its watch counted. */
  readonly failedRequests: number | null;
  /** Its requests over the baseline's limit, where it was caught for slowness. */
  readonly slowRequests: number | null;
  /** By region: when it was confirmed to get no traffic any more. */
  readonly shut: Readonly<Record<string, Instant>>;
};

type DeploymentEvent = EventOf<typeof deploymentTopic>;
type WatchEvent = EventOf<typeof watchTopic>;
type About = Pick<WatchEvent["data"], "deployment_id" | "service" | "environment" | "version">;

function nothingYet(about: About): Facts {
  return {
    id: about.deployment_id,
    service: about.service,
    environment: about.environment,
    version: about.version,
    gitSha: null,
    regions: [],
    exposedAt: null,
    succeededAt: null,
    caught: null,
    wayBack: null,
    ended: null,
    maxWeightPercent: null,
    failedRequests: null,
    slowRequests: null,
    shut: {},
  };
}

/** What one event of a deployment tells; `at` is the event's time. */
export function factsOfDeployment(event: DeploymentEvent, at: Instant): Facts {
  const { data } = event;
  const facts: Facts = { ...nothingYet(data), gitSha: data.git_sha, regions: [...data.regions].sort() };
  switch (event.type) {
    case "deployment.step_started":
      return { ...facts, exposedAt: at, maxWeightPercent: event.data.weight_percent };
    case "deployment.gate":
      return { ...facts, maxWeightPercent: event.data.weight_percent };
    case "deployment.succeeded":
      return { ...facts, succeededAt: at, maxWeightPercent: 100 };
    case "deployment.found_bad":
      return { ...facts, caught: { at, reason: event.data.reason }, wayBack: event.data.way_back };
    case "deployment.rolled_back":
    case "deployment.failed":
    case "deployment.cancelled":
    case "deployment.superseded": {
      const outcome = event.type.slice("deployment.".length);
      return { ...facts, ended: { at, outcome, reason: event.data.reason } };
    }
    default:
      return facts;
  }
}

/** What one event of a watch tells. */
export function factsOfWatch(event: WatchEvent): Facts {
  const facts = nothingYet(event.data);
  switch (event.type) {
    case "watch.failed": {
      const { judgement } = event.data;
      return {
        ...facts,
        exposedAt: judgement.window_from,
        caught: { at: judgement.at, reason: judgement.sentence },
        maxWeightPercent: judgement.weight_percent,
        failedRequests: judgement.counts.canary_errors,
        slowRequests: judgement.counts.canary_slow ?? null,
      };
    }
    case "watch.shut_confirmed":
      return { ...facts, shut: { [event.data.region]: event.data.at } };
    case "watch.ended":
      return { ...facts, failedRequests: event.data.failed_requests };
    default:
      return facts;
  }
}

/**
 * Puts together what two events (or two rows) have told. Commutative, associative and idempotent: so events may come in
 * any order and more than once, and the row is the same.
 */
export function merge(a: Facts, b: Facts): Facts {
  return {
    id: a.id,
    service: a.service,
    environment: a.environment,
    version: a.version,
    gitSha: least(a.gitSha, b.gitSha),
    regions: [...new Set([...a.regions, ...b.regions])].sort(),
    exposedAt: least(a.exposedAt, b.exposedAt),
    succeededAt: least(a.succeededAt, b.succeededAt),
    caught: earlier(a.caught, b.caught),
    wayBack: least(a.wayBack, b.wayBack),
    ended: earlier(a.ended, b.ended),
    maxWeightPercent: most(a.maxWeightPercent, b.maxWeightPercent),
    failedRequests: most(a.failedRequests, b.failedRequests),
    slowRequests: most(a.slowRequests, b.slowRequests),
    shut: mergeShut(a.shut, b.shut),
  };
}

function mergeShut(a: Facts["shut"], b: Facts["shut"]): Facts["shut"] {
  const regions = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return Object.fromEntries(regions.map((region) => [region, least(a[region] ?? null, b[region] ?? null) as Instant]));
}

function least<T extends string>(a: T | null, b: T | null): T | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

function most(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

/** By time, then by what it says, so that the order of asking never matters. */
function earlier<T extends Caught & { readonly outcome?: string }>(a: T | null, b: T | null): T | null {
  if (a === null || b === null) return a ?? b;
  const key = (one: T) => [one.at, one.outcome ?? "", one.reason].join("\u0000");
  return key(a) <= key(b) ? a : b;
}
