import { nearest } from "@slipway/contracts";
import type { ServiceName } from "@slipway/kernel";
import { z } from "zod";
import { builtImageProblems } from "./built-image-problems.ts";
import { DeploySteps, deployStepsProblems } from "./deploy-steps-problems.ts";
import { planProblems } from "./plan.ts";

const Texts = z.array(z.string().catch("")).catch([]);
const Step = z.looseObject({ needs: Texts, uses: z.unknown().optional() }).catch({ needs: [], uses: undefined });

/** As much of slipway.yaml as says how its parts fit together; what cannot be read is left out, so that the rest is judged all the same. */
const Sketch = z
  .looseObject({
    service: z.string().optional().catch(undefined),
    pipeline: z.record(z.string(), Step).catch({}),
    image: z
      .looseObject({ from: z.string().optional().catch(undefined), copy: Texts })
      .catch({ from: undefined, copy: [] }),
  })
  .catch({ service: undefined, pipeline: {}, image: { from: undefined, copy: [] } });
type Sketch = z.infer<typeof Sketch> & {
  /** The keys of `image` as they are written; undefined where there is no map. */
  readonly imageKeys: readonly string[] | undefined;
  readonly weights: DeploySteps;
};

type Problem = { readonly path: readonly PropertyKey[]; readonly message: string };

const Image = z.looseObject({ image: z.record(z.string(), z.unknown()) });

export function sketchOf(value: unknown): Sketch {
  const { data } = Image.safeParse(value);
  const imageKeys = data === undefined ? undefined : Object.keys(data.image);
  return { ...Sketch.parse(value), imageKeys, weights: DeploySteps.parse(value) };
}

/** What does not fit together: steps that wait for none that there is or for each other, paths that lead out, weights that do not climb, another service's file. */
export function sketchProblems(file: Sketch, service: ServiceName | undefined): Problem[] {
  const plan = Object.entries(file.pipeline).map(([name, { needs }]) => ({ name, needs: needs.filter(isNamed) }));
  const order = planProblems(plan).map(({ step, message }) => ({ path: ["pipeline", step, "needs"], message }));
  const copies = file.image.copy.flatMap((path, index) =>
    isInside(path)
      ? []
      : [{ path: ["image", "copy", index], message: `"${path}" is not a path inside the repository` }],
  );
  return [
    ...serviceProblems(file, service),
    ...order,
    ...copies,
    ...imageFromProblems(file),
    ...builtImageProblems(file),
    ...deployStepsProblems(file.weights),
  ];
}

function isNamed(need: string): boolean {
  return need !== "";
}

function serviceProblems(file: Sketch, service: ServiceName | undefined): Problem[] {
  if (service === undefined || file.service === undefined || file.service === service) return [];
  const message = `the repository is registered for the service "${service}", the file says "${file.service}"`;
  return [{ path: ["service"], message }];
}

function imageFromProblems({ image, pipeline }: Sketch): Problem[] {
  if (image.from === undefined || Object.hasOwn(pipeline, image.from)) return [];
  const near = nearest(image.from, Object.keys(pipeline));
  return [
    { path: ["image", "from"], message: `image.from names the step "${image.from}", which does not exist${near}` },
  ];
}

function isInside(path: string): boolean {
  const parts = path.split("/");
  return !path.startsWith("/") && !path.includes("\0") && !parts.includes("..") && !parts.includes(".git");
}
