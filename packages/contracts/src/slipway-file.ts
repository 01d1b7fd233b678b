import { z } from "zod";
import { DurationMs, EnvironmentNameSchema, ServiceNameSchema } from "./ids.ts";
import { SecretNames } from "./secret-names.ts";

const StepName = z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, "a step name is lower-case letters, digits, - and _");

/** One step of the pipeline: a command line (`run`) or a step that Slipway brings (`uses`). */
export const PipelineStep = z
  .strictObject({
    run: z.string().min(1).max(10_000).optional(),
    uses: z.enum(["security-scan"]).optional(),
    needs: z.array(StepName).default([]),
    /** What it may reach: nothing, the package registries set up on the build machine, or everything. */
    network: z.enum(["none", "registries", "full"]).default("none"),
    timeout: DurationMs.default(600_000),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).default({}),
    /** Secrets of the service's builds that this step alone is given, each as the variable of its name. */
    secrets: SecretNames,
  })
  .refine((step) => (step.run === undefined) !== (step.uses === undefined), "a step has either run or uses");
export type PipelineStep = z.infer<typeof PipelineStep>;

export const PlanStepSpec = z.strictObject({
  /** Whole percents: Istio knows no fractions. */
  weight: z.number().int().min(1).max(100),
  bake: DurationMs.default(0),
});
export type PlanStepSpec = z.infer<typeof PlanStepSpec>;

export const WorkloadSpec = z.strictObject({
  replicas: z.number().int().min(1).max(1_000).default(2),
  ready: z
    .strictObject({ path: z.string().startsWith("/").default("/healthz"), timeout: DurationMs.default(30_000) })
    .prefault({}),
  resources: z
    .strictObject({
      cpu: z
        .string()
        .regex(/^\d+m?$/)
        .default("250m"),
      memory: z
        .string()
        .regex(/^\d+(Mi|Gi)$/)
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
    base: z.enum(["node24"]).default("node24"),
    copy: z.array(z.string().min(1)).min(1),
    command: z.array(z.string().min(1)).min(1),
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
        replicas: z.number().int().min(1).max(1_000).optional(),
        env: z.record(z.string(), z.string()).default({}),
        /** Secrets of this environment that the pods are given, each as the variable of its name. */
        secrets: SecretNames,
      }),
    )
    .default({}),
});
export type SlipwayFile = z.infer<typeof SlipwayFile>;
