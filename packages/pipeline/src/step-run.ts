import type { PipelineStep } from "@slipway/contracts";
import type { Executor, Registries, StepRequest, StepResult, Toolchain } from "@slipway/executor";
import type { ImageSource } from "@slipway/oci";
import type { StepCaches } from "./cache/step-caches.ts";
import type { ImageRegistries } from "./image-registries.ts";
import type { Tools } from "./step-command.ts";

/** What of a machine every step needs. */
export type StepMachine = {
  readonly executor: Executor;
  readonly registries: Registries;
  readonly toolchain: Toolchain;
  readonly tools: Tools;
  readonly images: ImageSource;
  /** How registries are reached, for who fetches images himself. */
  readonly imageRegistries: ImageRegistries;
  readonly caches: StepCaches;
};

export type StepRun = {
  readonly service: string;
  readonly name: string;
  readonly step: PipelineStep;
  /** Names the build, see StepRequest. */
  readonly identity: string;
  /** Names this run of the step, see ExecutorStep. */
  readonly run?: string;
  readonly outputFrom?: number;
  /** Made anew of `inputs`; the step's result once it has succeeded. */
  readonly workspace: string;
  readonly inputs: readonly string[];
  /** Folder for the step's home, outside the workspace. Gone afterwards. */
  readonly home: string;
  /** What the platform tells the step of its build. */
  readonly env: Readonly<Record<string, string>>;
  /** The values of the step's secrets, by name. */
  readonly secretEnv?: Readonly<Record<string, string>>;
  /** Told in whole lines what is done for the step beside what it prints itself. */
  readonly note: (line: string) => void;
  readonly onOutput: StepRequest["onOutput"];
  readonly signal: AbortSignal;
};

/** `image`: what the step's root was, `node:24@sha256:…`; null for this machine's own tools. */
export type PipelineStepResult = StepResult & { readonly image: string | null };
