import type { deploymentTopic, EventOf, Judgement, watchTopic } from "@slipway/contracts";
import { istiodLine, type RegionAccess, takeBackLines } from "./kubectl.ts";
import { duration, type Fact, listing, type Notice, share } from "./notice.ts";

export type DeploymentEvent = EventOf<typeof deploymentTopic>;
export type WatchEvent = EventOf<typeof watchTopic>;

/** What earlier events have told about the deployment. */
export type Known = {
  readonly baselines: Readonly<Record<string, string | null>>;
  readonly judgement: Judgement | null;
};

export type World = {
  readonly known: Known | undefined;
  readonly regions: readonly RegionAccess[];
  readonly at: string;
  /** Where people see all of it. */
  readonly page: string;
};

/** The notice of a deployment's event; undefined for what nobody needs to be told. */
export function aboutDeployment(event: DeploymentEvent, world: World): Notice | undefined {
  const { data } = event;
  const where = `${data.service} in ${data.environment}`;
  const facts = factsOf(data);
  switch (event.type) {
    case "deployment.succeeded":
      return {
        severity: "good",
        about: data.deployment_id,
        title: `Deployed: ${where} (${data.deployment_id})`,
        text: `${data.version} serves 100% in ${listing(data.regions)}, ${duration(Date.parse(world.at) - Date.parse(event.data.created_at))} after it was asked for.`,
        facts,
      };
    case "deployment.held":
      return {
        ...attention(data, `Held: ${where}`, held(event.data.reason, data.deployment_id, world)),
        waits: "resume",
      };
    case "deployment.approval_requested":
      return {
        ...attention(data, `Approval needed: ${where}`, unapproved(event.data.reason, data.deployment_id, world)),
        waits: "approval",
      };
    case "deployment.failed":
      return {
        severity: "problem",
        about: data.deployment_id,
        title: `Deployment failed: ${where} (${data.deployment_id})`,
        text: `${sentence(event.data.reason)} It was given no traffic.`,
        facts,
      };
    case "deployment.restoring":
      return restoring(event.data, world);
    case "deployment.mesh_behind":
      return meshBehind(event.data, world);
    case "deployment.mesh_followed":
      return {
        ...aboutMesh(event.data, "follows"),
        severity: "good",
        text: `It sends ${data.version} nothing any more, ${after(event.data.since, world)} after weight 0 was written there, and its pods are gone.`,
      };
    case "deployment.region_away":
      return regionAway(event.data, world);
    case "deployment.region_back":
      return regionBack(event.data, world);
    case "deployment.found_bad":
      return foundBad(event.data);
    case "deployment.rolled_back":
      return rolledBack(event.data, world);
    default:
      return undefined;
  }
}

function held(reason: string, id: string, { page }: World): string {
  return `It goes no further by itself: ${sentence(reason)} It is shown at ${page}. To let it go on, or to take it back: slipway resume ${id} or slipway rollback ${id}`;
}

/** The command comes last, so that it can be taken out of the line. */
function unapproved(reason: string, id: string, { page }: World): string {
  return `It waits for a named person: ${sentence(reason)} It is shown at ${page}. To approve it: slipway approve ${id} --as approver`;
}

type About = Extract<DeploymentEvent, { type: "deployment.verified" }>["data"];

/** The watch pages for its own failures and the terminal event tells the rest: only a person's rollback is news here. */
function restoring(data: About & { reason: string; by: string }, world: World): Notice | undefined {
  if (data.by === "rollback-controller" || data.by === "slipway") return undefined;
  return {
    severity: "attention",
    about: data.deployment_id,
    title: `Rollback begun: ${data.service} in ${data.environment} (${data.deployment_id})`,
    text: `${data.by} takes ${data.version} back: ${sentence(data.reason)}`,
    facts: factsOf(data),
    byHand: byHand(data, world),
  };
}

/** Of a version that no way back of its own takes back. The watch has paged for its own; that nothing leads away from it wants a person. */
function foundBad(data: Told<"deployment.found_bad">): Notice | undefined {
  const { deployment_id, service, environment, version, by, reason, way_back } = data;
  const where = `${service} in ${environment} (${deployment_id})`;
  const about = { about: deployment_id, facts: factsOf(data) };
  if (way_back === null) {
    return {
      ...{ ...about, severity: "problem", title: `Bad, and no way back: ${where}` },
      text: `${sentence(reason)} ${version} stays where it is: ${sentence(data.no_way_back ?? "nothing leads back")} Deploy another version.`,
    };
  }
  if (by === "rollback-controller") return undefined;
  return {
    ...{ ...about, severity: "attention", title: `Rollback begun: ${where}` },
    text: `${by} takes ${version} back, which was verified, by ${way_back}: ${sentence(reason)}`,
  };
}

function rolledBack(data: About & { reason: string }, world: World): Notice {
  const judgement = world.known?.judgement ?? null;
  return {
    severity: judgement === null ? "attention" : "problem",
    about: data.deployment_id,
    title: `Taken back: ${data.service} in ${data.environment} (${data.deployment_id})`,
    text: `${data.version} gets no traffic any more; the version before it serves 100% in ${listing(data.regions)}. ${sentence(data.reason)}`,
    facts: [...factsOf(data), ...(judgement === null ? [] : factsOfJudgement(judgement))],
    byHand: byHand(data, world),
  };
}

type Told<T extends DeploymentEvent["type"]> = Extract<DeploymentEvent, { type: T }>["data"];

/** Which service, environment, version and region it is about. */
function aboutMesh(data: Told<"deployment.mesh_behind" | "deployment.mesh_followed">, how: string) {
  const { deployment_id, service, environment, version, region, since } = data;
  return {
    about: deployment_id,
    title: `The mesh of ${region} ${how}: ${service} in ${environment} (${deployment_id})`,
    facts: [
      { name: "Version", value: version },
      { name: "Region", value: region },
      { name: "Written at", value: since },
    ],
  };
}

/** A version that was taken back may still be served: that wants a person, and it is not Slipway that can mend it. */
function meshBehind(data: Told<"deployment.mesh_behind">, world: World): Notice {
  const { deployment_id, version, region, since, from_percent } = data;
  return {
    ...aboutMesh(data, "does not follow"),
    severity: "problem",
    text: `Weight 0 was written for ${version} ${after(since, world)} ago, and the mesh of ${region} has not shown that it serves that: it may still send it ${from_percent}% of the requests. Look at what brings its proxies their routes (istiod), and at its Prometheus. What it showed last: slipway status ${deployment_id}`,
    byHand: { why: `Whether istiod of ${region} is there`, lines: [istiodLine(region, world.regions)] },
  };
}

function aboutRegion(data: Told<"deployment.region_away" | "deployment.region_back">, how: string) {
  const { deployment_id, service, environment, version, region, since } = data;
  return {
    about: deployment_id,
    title: `${how}: ${service} in ${environment} (${deployment_id})`,
    facts: [
      { name: "Version", value: version },
      { name: "Region", value: region },
      { name: "Asked for at", value: since },
    ],
  };
}

function regionBack(data: Told<"deployment.region_back">, world: World): Notice {
  const { version, region, since, instead } = data;
  const done =
    instead === undefined ? `The region's API took what takes ${version} back` : `${version} serves there again`;
  return {
    ...aboutRegion(data, `Taken back in ${region} after all`),
    severity: "good",
    text: `${done}, ${after(since, world)} after it was asked for the first time.`,
  };
}

/** Slipway goes on trying; a person who reaches the region another way is faster. */
function regionAway(data: Told<"deployment.region_away">, world: World): Notice {
  const { deployment_id, version, region, since, weight_percent, instead } = data;
  const goesOn = `It is tried until it succeeds, and the other regions do not wait for it. What the region answers: slipway status ${deployment_id}`;
  // Pods of a version verified before have to be made first: that is no line to be done by hand.
  if (instead !== undefined) {
    return {
      ...aboutRegion(data, `Not taken back in ${region}, whose API is away or refuses it`),
      severity: "problem",
      text: `${version} could not be brought back in ${region} for ${after(since, world)}: ${instead} may go on having ${weight_percent}% of the requests there. ${goesOn}`,
    };
  }
  const exposed =
    weight_percent > 0 ? `it may go on having ${weight_percent}% of the requests there` : "it has no requests there";
  return {
    ...aboutRegion(data, `Not taken back in ${region}, whose API is away or refuses it`),
    severity: "problem",
    text: `Weight 0 for ${version} could not be written in ${region} for ${after(since, world)}: ${exposed}. ${goesOn}`,
    byHand: byHand({ ...data, regions: [region] }, world),
  };
}

function after(since: string, { at }: World): string {
  return duration(Date.parse(at) - Date.parse(since));
}

/** The notice of a watch's event. `regions` of the deployment are those of the judgement. */
export function aboutWatch(event: WatchEvent, world: World): Notice | undefined {
  if (event.type === "watch.metrics_missing") {
    const { deployment_id, service, environment, regions, since } = event.data;
    return {
      severity: "attention",
      about: deployment_id,
      title: `Cannot judge: ${service} in ${environment} (${deployment_id})`,
      text: `No metrics from ${listing(regions)} since ${since}. Nothing is raised until they are back.`,
      facts: [{ name: "Version", value: event.data.version }],
    };
  }
  if (event.type !== "watch.failed") return undefined;
  const { deployment_id, service, environment, version, judgement, epochs, first_error_at, verified } = event.data;
  const caught = verified === true ? "after it was verified" : `at ${judgement.weight_percent}%`;
  const regions = Object.keys(epochs);
  return {
    severity: "problem",
    about: deployment_id,
    title: `${judgement.counts.canary_slow === undefined ? "Bad" : "Slow"} deployment caught ${caught}: ${service} in ${environment} (${deployment_id})`,
    text: `${sentence(judgement.sentence)} ${
      verified === true
        ? "The version verified before it is deployed again, where there is one and nothing newer is under way."
        : `Traffic is being taken back in ${listing(regions)} without waiting for anybody.`
    }`,
    facts: [
      { name: "Version", value: version },
      ...factsOfJudgement(judgement),
      ...(first_error_at === null ? [] : [{ name: "First error", value: first_error_at }]),
    ],
    // The pods of the version before a verified one are gone: nobody may give them weight by hand.
    ...(verified === true
      ? {}
      : { byHand: byHand({ service, environment, version, regions: regions as About["regions"] }, world) }),
  };
}

function attention(data: About, title: string, text: string): Notice {
  return {
    severity: "attention",
    about: data.deployment_id,
    title: `${title} (${data.deployment_id})`,
    text,
    facts: factsOf(data),
  };
}

function factsOf(data: About): readonly Fact[] {
  return [
    { name: "Version", value: data.version },
    { name: "Commit", value: data.git_sha.slice(0, 12) },
    { name: "Regions", value: data.regions.join(", ") },
  ];
}

function factsOfJudgement({ counts, weight_percent }: Judgement): readonly Fact[] {
  const { canary_slow, canary_requests } = counts;
  return [
    ...(canary_slow === undefined
      ? []
      : [{ name: "Slow canary requests", value: share(canary_slow, canary_requests) }]),
    { name: "Canary errors", value: share(counts.canary_errors, counts.canary_requests) },
    { name: "Baseline errors", value: share(counts.baseline_errors, counts.baseline_requests) },
    { name: "Largest weight", value: `${weight_percent}%` },
  ];
}

function byHand(
  of: Pick<About, "service" | "environment" | "version" | "regions">,
  { known, regions }: World,
): NonNullable<Notice["byHand"]> {
  return {
    why: "The same by hand, should Slipway be away",
    lines: takeBackLines({ ...of, baselines: known?.baselines ?? {} }, regions),
  };
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
