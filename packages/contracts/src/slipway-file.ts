import { z } from "zod";
import { DockerfileBuild } from "./dockerfile-build.ts";
import { DurationMs, EnvironmentNameSchema, ServiceNameSchema } from "./ids.ts";
import { ImageBaseSchema, ImageNameSchema } from "./image-name.ts";
import { SecretNames } from "./secret-names.ts";
import { StepCache } from "./step-cache.ts";
import { wholeNumber } from "./whole-number.ts";

const StepName = z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, "a step name is lower-case letters, digits, - and _");

const Environment = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a variable is letters, digits and _, starting with no digit"),
  z.string(),
);

/** One step of the pipeline: a command line (`run`) or a step that Slipway brings (`uses`). */
export const PipelineStep = z
  .strictObject({
    run: z.string().min(1).max(10_000).optional(),
    uses: z.enum(["security-scan", "static-server", "dockerfile"]).optional(),
    dockerfile: DockerfileBuild.optional(),
    needs: z.array(StepName).default([]),
    /** What it may reach: nothing, the package registries set up on the build machine, or everything. */
    network: z.enum(["none", "registries", "full"]).default("none"),
    timeout: DurationMs.default(600_000),
    env: Environment.default({}),
    /** An OCI image whose file system is the step's root, in place of this machine's toolchain. */
    image: ImageNameSchema.optional(),
    cache: StepCache.optional(),
    /** Secrets of the service's builds that this step alone is given, each as the variable of its name. */
    secrets: SecretNames,
  })
  .refine(
    (step) => (step.run === undefined) !== (step.uses === undefined),
    "a step has either run (a command line) or uses (a step that Slipway brings), and one of them it needs",
  )
  .refine(
    (step) =>
      step.uses === undefined || (step.image === undefined && (step.cache === undefined || step.uses === "dockerfile")),
    "a step that uses something brings its own tools: it has no image, and no cache unless it builds a Dockerfile",
  )
  .refine((step) => step.cache === undefined || step.uses !== undefined || step.cache.paths !== undefined, {
    path: ["cache", "paths"],
    error: "is missing; it takes a list of the folders that are kept",
  })
  .refine((step) => step.cache?.paths === undefined || step.uses !== "dockerfile", {
    path: ["cache", "paths"],
    error: "a Dockerfile's cache is what its RUN lines made: it has a key and no paths",
  })
  .refine(
    (step) => step.dockerfile === undefined || step.uses === "dockerfile",
    "dockerfile says what a step builds that has uses: dockerfile",
  )
  .refine(
    (step) => step.uses !== "dockerfile" || Object.keys(step.env).length === 0,
    "a Dockerfile is given dockerfile.args and secrets, no env",
  );
export type PipelineStep = z.infer<typeof PipelineStep>;

export const PlanStepSpec = z.strictObject({
  /** Whole percents: Istio knows no fractions. */
  weight: wholeNumber(1, 100),
  bake: DurationMs.default(0),
});
export type PlanStepSpec = z.infer<typeof PlanStepSpec>;

export const WorkloadSpec = z.strictObject({
  replicas: wholeNumber(1, 1_000).default(2),
  ready: z
    .strictObject({ path: z.string().startsWith("/").default("/healthz"), timeout: DurationMs.default(30_000) })
    .prefault({}),
  resources: z
    .strictObject({
      cpu: z
        .string()
        .regex(/^\d+m?$/, "a share of a processor looks like 250m (a quarter) or 2")
        .default("250m"),
      memory: z
        .string()
        .regex(/^\d+(Mi|Gi)$/, "an amount of memory looks like 256Mi or 1Gi")
        .default("256Mi"),
    })
    .prefault({}),
  /** Time between SIGTERM and SIGKILL. */
  grace: DurationMs.default(10_000),
});
export type WorkloadSpec = z.infer<typeof WorkloadSpec>;

export const defaultSteps: readonly z.input<typeof PlanStepSpec>[] = [
  { weight: 5, bake: "10m" },
  { weight: 25, bake: "10m" },
  { weight: 50, bake: "5m" },
  { weight: 100 },
];

/** `slipway.yaml`, version 1. Durations arrive as text and leave as milliseconds; parsing the result again changes nothing. */
export const SlipwayFile = z.strictObject({
  version: z.literal(1),
  service: ServiceNameSchema,
  kind: z.enum(["web"]).default("web"),
  pipeline: z.record(StepName, PipelineStep),
  image: z.strictObject({
    /** `node24`, `python3` and `static` are made by the platform; anything else is an OCI image to stand on. */
    base: ImageBaseSchema.default("node24"),
    /** The step whose files it is made from, exactly as that step left them; absent: what the steps needed by others made. */
    from: StepName.optional(),
    /** Needed, as is `command`, unless the step of `from` builds a Dockerfile: then that says all of it, and no other key may stand here. */
    copy: z.array(z.string().min(1)).min(1).optional(),
    /** Files of the commit that are left out, in the form of a .dockerignore; what steps made is always in. */
    exclude: z.array(z.string().min(1).max(1_000)).max(1_000).optional(),
    command: z.array(z.string().min(1)).min(1).optional(),
    env: Environment.default({}),
  }),
  workload: WorkloadSpec.prefault({}),
  deploy: z
    .strictObject({
      strategy: z.enum(["canary", "blue-green", "rolling"]).default("canary"),
      steps: z
        .array(PlanStepSpec)
        .min(1)
        .max(20)
        .prefault([...defaultSteps]),
      watch: DurationMs.default(86_400_000),
      verify_after: DurationMs.default(900_000),
    })
    .prefault({}),
  environments: z
    .record(
      EnvironmentNameSchema as unknown as z.ZodType<string, string>,
      z.strictObject({
        replicas: wholeNumber(1, 1_000).optional(),
        env: z.record(z.string(), z.string()).default({}),
        /** In place of `deploy.steps` there. */
        steps: z.array(PlanStepSpec).min(1).max(20).optional(),
        /** Secrets of this environment that the pods are given, each as the variable of its name. */
        secrets: SecretNames,
      }),
    )
    .default({}),
});
export type SlipwayFile = z.infer<typeof SlipwayFile>;

/** What of slipway.yaml says how a version runs and gets there: all that an image which was built elsewhere needs. */
export const RunSpec = SlipwayFile.omit({ pipeline: true, image: true });
export type RunSpec = z.infer<typeof RunSpec>;
