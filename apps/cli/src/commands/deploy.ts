import { createDeployment, DeploymentRequest } from "@slipway/contracts";
import type { Command } from "commander";
import { Unusable } from "../exit-codes.ts";
import { headHere, serviceHere } from "../here.ts";
import { note } from "../note.ts";
import { print, withClient } from "../output.ts";
import { suggesting } from "../suggest.ts";
import { count, typed } from "../typed.ts";
import { watchDeployment } from "../watch/watch-deployment.ts";

type Options = {
  readonly env?: string;
  readonly regions?: string;
  readonly strategy?: string;
  readonly canaryPercent?: string;
  readonly confirmInitial?: boolean;
  readonly dryRun?: boolean;
  readonly watch?: boolean;
};

const options = { environment: "--env", regions: "--regions", strategy: "--strategy" };

/** `slipway deploy [SERVICE] [VERSION]`: in a repository both are known, its service and the commit that is checked out. */
export function deployCommand(root: Command): void {
  root
    .command("deploy")
    .description("deploy a version; in a repository: its service, and the commit that is checked out")
    .argument("[service]", "default: that of slipway.yaml here")
    .argument("[version]", "a commit (7 to 40 digits), a digest, or <sha7>-<hash5>; default: HEAD")
    .option("--env <environment>", "where to (default: prod)")
    .option("--regions <names>", "comma separated (default: all)")
    .option("--strategy <name>", "canary, blue-green or rolling (default: canary)")
    .option("--canary-percent <percent>", "first weight, a whole number from 1 to 100")
    .option("--confirm-initial", "this is the first deployment there")
    .option("--dry-run", "check everything, change nothing")
    .option("--watch", "follow it to its end; the exit code says how it ended")
    .action(async (first: string | undefined, second: string | undefined, own: Options) => {
      const { service, version } = await target(first, second);
      const body = typed(DeploymentRequest, { service, version, ...requested(own) }, options);
      const { environment = "prod", regions } = body;
      await withClient(root, async (client) => {
        const query = own.dryRun === true ? { validate_only: "true" as const } : {};
        const answer = await suggesting(client, { service, version, environment, regions }, () =>
          client.call(createDeployment, { query, body, idempotencyKey: crypto.randomUUID() }),
        );
        const { deployment_id: id, deployment } = answer;
        const what = `${service} ${deployment?.version ?? version} to ${environment}`;
        if (own.watch === true && id !== null) {
          note(`${id}: ${what}`);
          return watchDeployment(root, client, id);
        }
        const where = Object.keys(deployment?.regions ?? {}).join(", ");
        const said = `${id} ${answer.status}: ${what}${where === "" ? "" : ` (${where})`}\nslipway status ${id} --watch follows it.`;
        print(root, answer, id === null ? `It would be accepted: ${what}.` : said);
      });
    });
}

/** One argument alone is a version where the repository says the service, and it looks like one; else the service. */
async function target(first: string | undefined, second: string | undefined) {
  const looksLikeVersion = first !== undefined && /^([0-9a-f]{7,40}(-[a-z2-7]{5})?|sha256:.*)$/.test(first);
  if (first !== undefined && second === undefined && looksLikeVersion) {
    const here = serviceHere();
    if (here !== undefined) return { service: here, version: first };
  }
  const service = first ?? serviceHere();
  if (service === undefined) {
    throw new Unusable(
      "Deploy what? There is no slipway.yaml here or above.",
      "slipway deploy SERVICE VERSION, or go into the repository.",
    );
  }
  return { service, version: second ?? (await headHere()) };
}

function requested(own: Options) {
  return {
    ...(own.env === undefined ? {} : { environment: own.env }),
    ...(own.regions === undefined ? {} : { regions: own.regions.split(",").map((name) => name.trim()) }),
    ...(own.strategy === undefined ? {} : { strategy: own.strategy }),
    ...(own.canaryPercent === undefined
      ? {}
      : { canary_percent: count("--canary-percent", own.canaryPercent, [1, 100]) }),
    ...(own.confirmInitial === true ? { confirm_initial: true } : {}),
  };
}
