import { existsSync } from "node:fs";
import { join } from "node:path";
import { platformServices } from "@slipway/client";
import type { BackendCheck } from "@slipway/host";
import { z } from "zod";
import type { Check } from "./checks.ts";

/** By which a service is told what it works with. */
const variables = [
  ...["DATABASE_URL", "BUS_URL", "LOCK_URL", "CACHE_URL", "OBJECTS_URL", "EXECUTOR", "REGIONS", "IMAGE_REGISTRIES"],
  ...["EXTERNAL_REGISTRIES", "PUBLISH_TO", "SLACK_WEBHOOK_URL", "SECRETS_KEY", "SECRETS_OLD_KEYS"],
  ...["ENVIRONMENTS", "PRODUCTION"],
  ...platformServices.map((service) => `${service.toUpperCase().replaceAll("-", "_")}_URL`),
].map((name) => `SLIPWAY_${name}`);

/** What single services read of it; the host knows the rest. */
const ofServices = { SLIPWAY_SLACK_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).optional() };

/** Who keep secrets. */
const sealing = ["build-service", "deployment-orchestrator"];

type Environment = Readonly<Record<string, string | undefined>>;

export function namesBackends(environment: Environment): boolean {
  return variables.some((name) => (environment[name] ?? environment[`${name}_FILE`] ?? "") !== "");
}

/** What a service would meet that is started with this environment, a line for each problem. */
export async function backendChecks(environment: Environment): Promise<readonly Check[]> {
  const { checkBackends } = await import("@slipway/host");
  const { keyProblem, SecretKeys } = await import("@slipway/secrets");
  const { executorImageProblems, imageRegistryProblems } = await import("@slipway/pipeline");
  const config = z.object({ ...ofServices, ...SecretKeys.shape });
  const looked: NonNullable<Parameters<typeof checkBackends>[1]> = async (env, { dataDir, prepared }) => {
    const mounted = prepared && sealing.some((service) => existsSync(join(dataDir, "tokens", service)));
    const key = await keyProblem(dataDir, config.parse(env), mounted);
    const { SLIPWAY_IMAGE_REGISTRIES: text = "", SLIPWAY_EXECUTOR: executor = "" } = env;
    const absent = await executorImageProblems(executor, text);
    return [
      ...(key === undefined ? [] : [{ name: "secrets", problems: [key] }]),
      ...(text === "" ? [] : [{ name: "registries", problems: await imageRegistryProblems(text) }]),
      // Who cannot be asked has said nothing, so that here no problem is no proof.
      ...(absent.length === 0 ? [] : [{ name: "executor images", problems: absent }]),
      ...(await foreignRegistries(env)),
    ];
  };
  const found = await checkBackends(environment, looked, [{ config }]);
  return found.flatMap(({ name, problems, remedy, isDoubt = false }): Check[] =>
    problems.length === 0
      ? [{ name, state: "ok", found: "can be used" }]
      : problems.map((problem) => ({
          ...{ name, state: isDoubt ? "warning" : "bad" },
          ...foundAndRemedy(problem, remedy),
        })),
  );
}

/** Names that are nearly those of variables: whoever set them has set nothing. */
export async function variableChecks(environment: Environment): Promise<readonly Check[]> {
  if (!Object.keys(environment).some((name) => name.startsWith("SLIPWAY_"))) return [];
  const { misspelt, misspeltRemedy } = await import("@slipway/host");
  return misspelt(environment).map((each) => ({
    ...{ name: each.variable, state: "bad", found: "nobody reads it" },
    remedy: sentence(misspeltRemedy(each)),
  }));
}

/** The registries of others that the artifact-registry is told of. */
async function foreignRegistries(env: Environment): Promise<readonly BackendCheck[]> {
  const { SLIPWAY_EXTERNAL_REGISTRIES: file, SLIPWAY_PUBLISH_TO: publishTo, SLIPWAY_EXTERNAL_LOOPBACK: here } = env;
  if (file === undefined && (publishTo ?? "") === "") return [];
  const { foreignRegistryChecks } = await import("@slipway/oci");
  const { named, published } = await foreignRegistryChecks({
    file,
    publishTo,
    loopback: z
      .stringbool()
      .catch(false)
      .parse(here ?? "false"),
  });
  return [
    ...(file === undefined ? [] : [{ name: "external registries", problems: named }]),
    ...((publishTo ?? "") === "" ? [] : [{ name: "published images", problems: published }]),
  ];
}

/** `what is wrong: what to do`, as the checks of a host put it where they do not give the remedy by itself. */
function foundAndRemedy(problem: string, said: string | undefined): Pick<Check, "found" | "remedy"> {
  if (said !== undefined) return { found: problem, remedy: sentence(said) };
  const at = problem.lastIndexOf(": ");
  if (at === -1) return { found: problem };
  return { found: problem.slice(0, at), remedy: sentence(problem.slice(at + 2)) };
}

/** What begins with a command is left as it is: people copy it. */
function sentence(words: string): string {
  if (/^(?:kubectl|helm|slipway|npm|docker|openssl) /.test(words)) return words;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
