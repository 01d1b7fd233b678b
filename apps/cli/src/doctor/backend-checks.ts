import type { BackendCheck } from "@slipway/host";
import { z } from "zod";
import type { Check } from "./checks.ts";

/** By which a service is told what it works with. */
const variables = [
  ...["DATABASE_URL", "BUS_URL", "LOCK_URL", "OBJECTS_URL", "EXECUTOR", "REGIONS"],
  ...["IMAGE_REGISTRIES", "EXTERNAL_REGISTRIES"],
].map((name) => `SLIPWAY_${name}`);

type Environment = Readonly<Record<string, string | undefined>>;

export function namesBackends(environment: Environment): boolean {
  return variables.some((name) => (environment[name] ?? environment[`${name}_FILE`] ?? "") !== "");
}

/** What a service would meet that is started with this environment, a line for each problem. */
export async function backendChecks(environment: Environment): Promise<readonly Check[]> {
  const { checkBackends } = await import("@slipway/host");
  const { executorImageProblems, imageRegistryProblems } = await import("@slipway/pipeline");
  const found = await checkBackends(environment, async (env) => {
    const { SLIPWAY_IMAGE_REGISTRIES: text = "", SLIPWAY_EXECUTOR: executor = "" } = env;
    const absent = await executorImageProblems(executor, text);
    return [
      ...(text === "" ? [] : [{ name: "registries", problems: await imageRegistryProblems(text) }]),
      // Who cannot be asked has said nothing, so that here no problem is no proof.
      ...(absent.length === 0 ? [] : [{ name: "executor images", problems: absent }]),
      ...(await externalRegistries(env)),
    ];
  });
  return found.flatMap(({ name, problems }): Check[] =>
    problems.length === 0
      ? [{ name, state: "ok", found: "can be used" }]
      : problems.map((problem) => ({ name, state: "bad", ...foundAndRemedy(problem) })),
  );
}

/** Of the artifact-registry, by what it says of them itself under `/readyz`. */
async function externalRegistries(env: Environment): Promise<readonly BackendCheck[]> {
  const { SLIPWAY_EXTERNAL_REGISTRIES: path, SLIPWAY_EXTERNAL_LOOPBACK: loopback = "false" } = env;
  if (path === undefined) return [];
  const { foreignRegistryProblems } = await import("@slipway/oci");
  const problems = await foreignRegistryProblems(path, z.stringbool().catch(false).parse(loopback));
  return [{ name: "external registries", problems }];
}

/** `what is wrong: what to do`, as the checks of a host put it. */
function foundAndRemedy(problem: string): Pick<Check, "found" | "remedy"> {
  const at = problem.lastIndexOf(": ");
  if (at === -1) return { found: problem };
  const remedy = problem.slice(at + 2);
  return { found: problem.slice(0, at), remedy: `${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}.` };
}
