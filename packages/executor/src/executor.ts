import { type NetworkedStep, runNetworkedStep } from "./network/run-step-with-network.ts";
import type { Isolation, IsolationMethod, LimitTier, StepResult } from "./types.ts";

/** A step as any executor runs it. See StepRequest for what it promises. */
export type ExecutorStep = Omit<NetworkedStep, "isolation"> & {
  /**
   * Names this run of the step. Where steps outlive this process, whoever asks again under the same name goes on with the one that is there; without
   * a name nobody does.
   */
  readonly run?: string;
  /** How much of its output an earlier asker under this name has taken. */
  readonly outputFrom?: number;
  /** The image to run in, by digest, where `imagesBy` is `name`. */
  readonly image?: string;
  /** Builds an image of a Dockerfile, in `builder` and with what that needs. `image` is not asked for. */
  readonly builds?: boolean;
  /** What `builder` keeps from build to build: folders of this machine. Neither one can fail the step; `onNetwork` is told why one was not taken. */
  readonly kept?: {
    /** Given to it as `<cache>/in`. */
    readonly from: string | undefined;
    /** Made of `<cache>/out` once the step has succeeded, which has to be there then. */
    readonly to: string;
  };
};

/** Where an image is built of a Dockerfile: rootless BuildKit, with a folder for its work. */
export type Builder = {
  /** By digest. */
  readonly image: string;
  readonly folder: string;
  /** Folder for what is kept, beside it: what that takes is not the build's. */
  readonly cache: string;
};

/** Pino-compatible: object first, static message. */
export type ExecutorLogger = Readonly<
  Record<"debug" | "info" | "warn" | "error", (details: object, message: string) => void>
>;

/** Where build steps run. */
export type Executor = {
  readonly kind: "executor";
  /** For people, e.g. `bubblewrap, limits: cgroup v1`. */
  readonly description: string;
  readonly method: IsolationMethod | "kubernetes";
  readonly limits: LimitTier | "pod";
  /** True: steps run on when this process dies, and whoever asks for them under their name goes on with them. */
  readonly outlived: boolean;
  /** How the image of a step is wanted: unpacked on this machine (`root`), or named for somebody else to pull (`image`). */
  readonly imagesBy: "folder" | "name";
  /** What a step without an image works with, for the keys of caches; undefined: this machine's toolchain. */
  readonly tools: string | undefined;
  /** Undefined: no Dockerfile is built here. */
  readonly builder: Builder | undefined;
  /** Folder below which `mounts` may be. */
  readonly toolsInside: string;
  /** Throws where the step could not be run, which says nothing about it: to be tried again. */
  run(step: ExecutorStep): Promise<StepResult>;
  /** The result of a named run is safe: nobody will ask for it again. */
  release(run: string): Promise<void>;
  /** Ends all that is left of a build, running or not. */
  forget(identity: string): Promise<void>;
  close(): Promise<void>;
};

/** On this machine steps end with the process that runs them: nothing is left to go on with or to forget. */
export function machineExecutor(isolation: Isolation): Executor {
  const nothing = async (): Promise<void> => undefined;
  return {
    ...{ kind: "executor", description: isolation.description, method: isolation.method, limits: isolation.limits },
    ...{ outlived: false, imagesBy: "folder", tools: undefined, toolsInside: "/opt/slipway/tools" },
    builder: undefined,
    run({ run: _run, outputFrom: _from, image: _image, kept: _kept, builds, ...step }) {
      if (builds === true) throw new Error("no Dockerfile is built on this machine");
      return runNetworkedStep({ ...step, isolation });
    },
    ...{ release: nothing, forget: nothing, close: nothing },
  };
}
