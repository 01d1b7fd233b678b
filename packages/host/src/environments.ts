import { EnvironmentNameSchema } from "@slipway/contracts";
import { z } from "zod";
import type { ConfigProblem } from "./config-error.ts";
import type { EnvironmentEntry } from "./module.ts";

const names = z
  .string()
  .transform((text) => text.split(",").map((name) => name.trim()))
  .pipe(z.array(EnvironmentNameSchema));

/** A name that is there twice leaves open where in the order it is. */
const distinct = names.superRefine((all, context) => {
  const twice = new Set(all.filter((name, index) => all.indexOf(name) !== index));
  if (twice.size > 0) context.addIssue({ code: "custom", message: `names ${[...twice].join(", ")} more than once` });
});

/** The word that SLIPWAY_PRODUCTION has to say where no environment is production. An empty one is as good as unset. */
const noProduction = "none";

/** The two variables that say which environments there are, in the order in which artifacts pass, and which of them are production. */
export const environmentVariables = {
  SLIPWAY_ENVIRONMENTS: distinct.default(["dev", "staging", "prod"].map((name) => EnvironmentNameSchema.parse(name))),
  SLIPWAY_PRODUCTION: names.default([EnvironmentNameSchema.parse("prod")]),
};
const Named = z.object(environmentVariables);
type Named = z.output<typeof Named>;

/** Production by name. */
function productionOf({
  SLIPWAY_ENVIRONMENTS: all,
  SLIPWAY_PRODUCTION: production,
}: Named): Named["SLIPWAY_PRODUCTION"] {
  const [only] = production;
  const isNone = production.length === 1 && only === noProduction && !all.includes(only);
  return isNone ? [] : production;
}

/** A name of production that no environment has would take the 5% rule, approvals and the minimum bake away from the one that was meant. */
export function productionProblems(env: Readonly<Record<string, string>>): readonly ConfigProblem[] {
  const { data } = Named.safeParse(env);
  if (data === undefined) return [];
  const all = data.SLIPWAY_ENVIRONMENTS;
  const missing = productionOf(data).filter((name) => !all.includes(name));
  if (missing.length === 0) return [];
  const said =
    env.SLIPWAY_PRODUCTION === undefined
      ? `${missing}, which is production where nothing else is said,`
      : missing.join(", ");
  return [
    {
      variable: "SLIPWAY_PRODUCTION",
      message: `${said} ${missing.length === 1 ? "is" : "are"} not among SLIPWAY_ENVIRONMENTS (${all.join(", ")})`,
      remedy: `name those of them that are production, or say ${noProduction} where none is`,
    },
  ];
}

/** `minimumBakeMs` is of production alone. */
export function environmentsOf(variables: Named, minimumBakeMs: number): readonly EnvironmentEntry[] {
  const all = productionOf(variables);
  return variables.SLIPWAY_ENVIRONMENTS.map((name) => {
    const production = all.includes(name);
    return { name, production, minimumBakeMs: production ? minimumBakeMs : 0 };
  });
}
