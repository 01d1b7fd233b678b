import type { Client } from "@slipway/client";
import {
  type BuildView,
  type DeploymentView,
  getDeployment,
  getDeploymentStatus,
  getPush,
  getService,
  listEnvironments,
  listRegions,
  ProblemError,
  type PushView,
  waitsText,
} from "@slipway/contracts";
import type { DeploymentId, EnvironmentName } from "@slipway/kernel";
import { aliasText, type CommandLine, commandText } from "./command-text.ts";

type Print = (line: string) => void;

/** A push waits this long for its deployment; what is not decided by then goes on without it. */
const followedForMs = 5 * 60_000;
const lookEveryMs = 300;
const endedWell = "SUCCEEDED";
const ended: readonly string[] = [endedWell, "ROLLED_BACK", "FAILED", "CANCELLED", "SUPERSEDED", "HELD"];

/**
 * Tells how a build that is deployed by itself comes to serve: its deployment, what that waits for, and at the end the verdict and the address. All of
 * it happens on the platform whether or not somebody looks.
 */
export async function followPush(client: Client, build: BuildView, commands: CommandLine, print: Print): Promise<void> {
  const until = performance.now() + followedForMs;
  const push = await untilSettled(client, build, until);
  if (push?.status !== "DEPLOYED" || push.deployment_id === null) {
    for (const line of notDeployed(push, build, commands)) print(line);
    return;
  }
  print(`slipway: ${push.deployment_id} brings it to ${push.environment}`);
  const view = await untilEnded(client, push.deployment_id, until, print);
  if (!ended.includes(view.status)) {
    print(
      `slipway: ${view.deployment_id} is ${view.status} after ${followedForMs / 60_000} minutes and goes on: ${waitsText(view) || "waiting for its next step"}`,
    );
    print(`  ${commandText(commands, ["status", view.deployment_id, "--watch"])}`);
    return;
  }
  for (const line of await verdict(client, view, push)) print(line);
  if (view.status === endedWell) for (const line of await onwards(client, view, commands)) print(line);
}

/** Undefined where nothing was heard of it: the event of the build is on its way, or lost its way. */
async function untilSettled(client: Client, build: BuildView, until: number): Promise<PushView | undefined> {
  let push: PushView | undefined;
  while (performance.now() < until) {
    push = await client.call(getPush, { params: { build: build.build_id } }).catch((error: unknown) => {
      if (error instanceof ProblemError && error.code === "push.not_found") return undefined;
      throw error;
    });
    if (push !== undefined && push.status !== "PENDING") return push;
    await pause();
  }
  return push;
}

function notDeployed(push: PushView | undefined, build: BuildView, commands: CommandLine): string[] {
  const why =
    push === undefined ? "no word of it has come" : `${push.status}${push.reason === null ? "" : `: ${push.reason}`}`;
  const words = ["deploy", build.service, build.git_sha.slice(0, 7), "--env", push?.environment ?? "dev", "--watch"];
  return [
    `slipway: it is not deployed: ${why}`,
    ...(push?.remedy == null ? [] : [`  ${push.remedy}`]),
    ...(push?.status === "SUPERSEDED" ? [] : [`  to deploy it: ${commandText(commands, words)}`]),
  ];
}

async function untilEnded(client: Client, id: DeploymentId, until: number, print: Print): Promise<DeploymentView> {
  let said = "";
  for (;;) {
    const view = await client.call(getDeployment, { params: { id } });
    if (ended.includes(view.status) || performance.now() >= until) return view;
    const status = await client.call(getDeploymentStatus, { params: { id } });
    const weight = status.weight_percent === null || status.weight_percent === 0 ? "" : ` at ${status.weight_percent}%`;
    const text = `slipway: ${id} ${view.status}${weight}, ${waitsText(view) || "waiting for its next step"}`;
    if (text !== said) print(text);
    said = text;
    await pause();
  }
}

async function verdict(client: Client, view: DeploymentView, { service, environment }: PushView): Promise<string[]> {
  const { deployment_id, status, git_sha } = view;
  if (status === endedWell) {
    const { regions } = await client.call(listRegions);
    const first = regions.find(({ name, reachable }) => reachable && name in view.regions);
    const address = first === undefined ? "" : addressOf(first.mesh_url, service, environment);
    return [
      `slipway: ${deployment_id} SUCCEEDED: ${service} ${git_sha.slice(0, 7)} serves in ${environment}`,
      `  ${address}`,
    ];
  }
  const why = view.reason ?? view.waiting?.for ?? "no reason was given";
  return [`slipway: ${deployment_id} ${status}: ${why}`, ...lastWords(view), ...whatServes(view)];
}

/** Where the mesh of a region answers for a service: every name below localhost is this machine. */
function addressOf(meshUrl: string, service: string, environment: EnvironmentName): string {
  const { port } = new URL(meshUrl);
  return `http://${service}.${environment}.localhost:${port}/`;
}

/** What the program itself said before it was given up, once: the regions tell the same story. */
function lastWords(view: DeploymentView): string[] {
  const found = Object.entries(view.regions).find(([, { last_lines = [] }]) => last_lines.length > 0);
  if (found === undefined) return ["  The program printed nothing. It has to listen on the port in $PORT."];
  const [region, { last_lines = [] }] = found;
  return [`  What it printed last (${region}):`, ...last_lines.map((line) => `  | ${line}`)];
}

function whatServes(view: DeploymentView): string[] {
  const before = [...new Set(Object.values(view.regions).map(({ baseline }) => baseline))].filter(
    (one) => one !== null,
  );
  return before.length === 0 ? [] : [`  ${before.join(", ")} serves as before.`];
}

/**
 * The way to production, as lines that can be pasted as they stand: who asks for a promotion may not approve it, and the first version there is
 * asked for by an approver, since there is nothing to compare it with.
 */
async function onwards(client: Client, view: DeploymentView, commands: CommandLine): Promise<string[]> {
  const { environments } = await client.call(listEnvironments);
  const at = environments.findIndex(({ name }) => name === view.environment);
  const later = environments.slice(at + 1);
  const last = later.find(({ production }) => production);
  if (last === undefined) return [];
  const { live } = await client.call(getService, { params: { name: view.service } });
  const first = Object.keys(live[last.name] ?? {}).length === 0;
  const promotions = later
    .slice(0, later.indexOf(last) + 1)
    .flatMap(({ name, production }) => [
      `  slipway artifacts promote ${view.digest} --to ${name}`,
      ...(production ? [`  slipway promotions approve ${view.digest} --as approver`] : []),
    ]);
  const confirmed = first ? " --confirm-initial --as approver" : "";
  const why = first ? "an approver agrees, and confirms that it is the first version there" : "an approver agrees";
  return [
    `slipway: to bring it to ${last.name} (${why}):`,
    `  ${aliasText(commands)}`,
    ...promotions,
    `  slipway deploy ${view.service} ${view.git_sha.slice(0, 7)} --env ${last.name}${confirmed} --watch`,
  ];
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, lookEveryMs));
}
